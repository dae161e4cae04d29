/** Bytes that are the same for every message but for its number, which is written over in place: nothing is built or copied for a message. */

/** So many digits everywhere, so that everything keeps its length. */
export const DIGITS = 8;
/** What stands in a template where the number goes. */
export const PLACE = '#'.repeat(DIGITS);

const ZERO = 0x30;

export class Stamp {
  #bytes;
  #first;
  #others = [];

  /** `template` has the number's place once or more often. A stamp belongs to one session: its bytes change with the next number. */
  constructor(template) {
    this.#bytes = Buffer.from(template);
    const place = Buffer.from(PLACE);
    this.#first = this.#bytes.indexOf(place);
    for (let at = this.#first; at !== -1; ) {
      at = this.#bytes.indexOf(place, at + DIGITS);
      if (at !== -1) this.#others.push(at);
    }
  }

  /** Valid until the next call. */
  of(number) {
    this.#write(this.#first, number);
    for (const place of this.#others) this.#repeat(place);
    return this.#bytes;
  }

  #write(place, number) {
    let left = number;
    for (let at = place + DIGITS - 1; at >= place; at -= 1) {
      this.#bytes[at] = ZERO + (left % 10);
      left = Math.floor(left / 10);
    }
  }

  #repeat(place) {
    for (let i = 0; i < DIGITS; i += 1) this.#bytes[place + i] = this.#bytes[this.#first + i];
  }
}
