/** xtext (RFC 3461 §4): how text of any printable characters fits into one ESMTP parameter. */

const XTEXT = /^(?:[\x21-\x2a\x2c-\x3c\x3e-\x7e]|\+[0-9A-F]{2})+$/;

export function isXtext(text: string): boolean {
  return XTEXT.test(text);
}

/** What was meant; text that is no xtext is taken as it is. */
export function decodeXtext(text: string): string {
  if (!isXtext(text)) return text;
  return text.replace(/\+([0-9A-F]{2})/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
}

/** Only for ASCII: xtext has no other characters. */
export function encodeXtext(text: string): string {
  return text.replace(/[^\x21-\x2a\x2c-\x3c\x3e-\x7e]/g, (char) => {
    return `+${char.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0')}`;
  });
}
