/** Takes the content of the parts that are not looked into, in one pass: short texts are kept, of everything else only the size. */
import { limits } from '../../core/limits.ts';
import { charsetOf } from '../mime/charset.ts';
import type { MimePart } from '../mime/part.ts';
import type { PartSink } from '../mime/scanner.ts';
import { type TransferDecoder, transferDecoder } from '../mime/transfer-decoder.ts';
import type { TextCharset } from '../mime/unicode-text.ts';
import { textMeter } from './text-meter.ts';

export interface LeafContent {
  /** Of the decoded content. */
  readonly sizeBytes: number;
  readonly charset?: TextCharset;
  /** To be given inline. */
  readonly text?: string;
  /** Of a part that is nothing but header fields, as it was sent. */
  readonly fields?: Buffer;
}

/** Parts whose content is blocks of header fields (RFC 3464, RFC 8098, RFC 5965, RFC 6522 §3). */
const FIELD_TYPES = new Set([
  'message/delivery-status',
  'message/global-delivery-status',
  'message/disposition-notification',
  'message/feedback-report',
  'message/global-headers',
  'text/rfc822-headers',
]);

export class LeafContents {
  readonly #contents = new Map<MimePart, LeafContent>();
  #inlineLeft: number;
  #fieldBytesLeft: number = limits.mimeReportBytes;

  /** Texts are kept while all of them together are smaller than `inlineBytes`. */
  constructor(inlineBytes: number) {
    this.#inlineLeft = inlineBytes;
  }

  of(part: MimePart): LeafContent | undefined {
    return this.#contents.get(part);
  }

  sinkFor(part: MimePart): PartSink {
    const decoder = transferDecoder(part.encoding);
    if (FIELD_TYPES.has(part.type)) return this.#fieldsSink(part, decoder);
    return part.type.startsWith('text/') ? this.#textSink(part, decoder) : this.#sizeSink(part, decoder);
  }

  #textSink(part: MimePart, decoder: TransferDecoder): PartSink {
    const meter = textMeter(charsetOf(part.params.get('charset')), this.#inlineLeft);
    return {
      write: (bytes) => meter.write(decoder.write(bytes)),
      end: () => {
        meter.write(decoder.end());
        const measured = meter.end();
        // Receivers of the original take an empty inline text for none at all; as a blob it gets through.
        const { text, ...blob } = measured;
        const isInline = text !== undefined && text !== '';
        if (isInline) this.#inlineLeft -= measured.sizeBytes;
        this.#contents.set(part, isInline ? measured : blob);
        return faultOf(decoder);
      },
    };
  }

  #sizeSink(part: MimePart, decoder: TransferDecoder): PartSink {
    let sizeBytes = 0;
    return {
      write: (bytes) => {
        sizeBytes += decoder.write(bytes).length;
      },
      end: () => {
        sizeBytes += decoder.end().length;
        this.#contents.set(part, { sizeBytes });
        return faultOf(decoder);
      },
    };
  }

  #fieldsSink(part: MimePart, decoder: TransferDecoder): PartSink {
    let sizeBytes = 0;
    const pieces: Buffer[] = [];
    const take = (bytes: Buffer): void => {
      sizeBytes += bytes.length;
      if (sizeBytes <= this.#fieldBytesLeft) pieces.push(Buffer.from(bytes));
    };
    return {
      write: (bytes) => take(decoder.write(bytes)),
      end: () => {
        take(decoder.end());
        const isKept = sizeBytes <= this.#fieldBytesLeft;
        if (isKept) this.#fieldBytesLeft -= sizeBytes;
        this.#contents.set(part, { sizeBytes, ...(isKept && { fields: Buffer.concat(pieces) }) });
        return faultOf(decoder);
      },
    };
  }
}

function faultOf(decoder: TransferDecoder): 'badBase64' | undefined {
  return decoder.isFaulty ? 'badBase64' : undefined;
}
