/**
 * Rows as plain memory: their numbers one after the other, and their texts as bytes. What waits like that is nothing the garbage collector has to look
 * at, and goes to another thread as a copy of memory, where objects and lists of values cost both sides several times as much.
 *
 * A row is read as it was written: the same calls in the same order. How long its texts are stands among the numbers.
 */

export interface PackedRows {
  readonly numbers: Float64Array;
  readonly text: Uint8Array;
}

const FIRST_NUMBERS = 1024;
const FIRST_TEXT_BYTES = 16_384;
/** More of it is not kept for the next rows. */
const KEPT_TEXT_BYTES = 4 << 20;
/** No text has this length; and no column holds what is not a number. */
const NO_TEXT = -1;
/** Of UTF-8, for each unit of a string, at most. */
const BYTES_PER_UNIT = 3;

export class RowWriter {
  #numbers = new Float64Array(FIRST_NUMBERS);
  #count = 0;
  #bytes = Buffer.allocUnsafeSlow(FIRST_TEXT_BYTES);
  #sizeBytes = 0;
  /** Where the row that is being written says how many bytes its texts are. */
  #rowAt = 0;
  /** Its texts so far: they become bytes together. */
  #text = '';

  /** What has been written; it is overwritten by what comes after `clear`. */
  get rows(): PackedRows {
    return { numbers: this.#numbers.subarray(0, this.#count), text: this.#bytes.subarray(0, this.#sizeBytes) };
  }

  get sizeBytes(): number {
    return this.#count * Float64Array.BYTES_PER_ELEMENT + this.#sizeBytes;
  }

  begin(): void {
    this.#rowAt = this.#count;
    this.number(0);
  }

  number(value: number | null): void {
    if (this.#count === this.#numbers.length) this.#makeRoomForNumbers(1);
    this.#numbers[this.#count] = value ?? Number.NaN;
    this.#count += 1;
  }

  text(value: string | null): void {
    this.number(value === null ? NO_TEXT : value.length);
    if (value !== null) this.#text += value;
  }

  end(): void {
    this.#makeRoomForText(BYTES_PER_UNIT * this.#text.length);
    const written = this.#bytes.write(this.#text, this.#sizeBytes);
    this.#sizeBytes += written;
    this.#numbers[this.#rowAt] = written;
    this.#text = '';
  }

  /** Adds rows that were written elsewhere. */
  append({ numbers, text }: PackedRows): void {
    this.#makeRoomForNumbers(numbers.length);
    this.#numbers.set(numbers, this.#count);
    this.#count += numbers.length;
    this.#makeRoomForText(text.length);
    this.#bytes.set(text, this.#sizeBytes);
    this.#sizeBytes += text.length;
  }

  clear(): void {
    this.#count = 0;
    this.#sizeBytes = 0;
    this.#text = '';
    if (this.#bytes.length > KEPT_TEXT_BYTES) this.#bytes = Buffer.allocUnsafeSlow(FIRST_TEXT_BYTES);
  }

  #makeRoomForNumbers(more: number): void {
    const needed = this.#count + more;
    if (needed <= this.#numbers.length) return;
    const larger = new Float64Array(Math.max(needed, 2 * this.#numbers.length));
    larger.set(this.#numbers.subarray(0, this.#count));
    this.#numbers = larger;
  }

  #makeRoomForText(moreBytes: number): void {
    const needed = this.#sizeBytes + moreBytes;
    if (needed <= this.#bytes.length) return;
    const larger = Buffer.allocUnsafeSlow(Math.max(needed, 2 * this.#bytes.length));
    larger.set(this.#bytes.subarray(0, this.#sizeBytes));
    this.#bytes = larger;
  }
}

export class RowReader {
  readonly #numbers: Float64Array;
  readonly #bytes: Buffer;
  #at = 0;
  #bytesAt = 0;
  #text = '';
  #textAt = 0;

  constructor({ numbers, text }: PackedRows) {
    this.#numbers = numbers;
    this.#bytes = Buffer.from(text.buffer, text.byteOffset, text.byteLength);
  }

  get isAtEnd(): boolean {
    return this.#at === this.#numbers.length;
  }

  begin(): void {
    const end = this.#bytesAt + this.number();
    this.#text = this.#bytes.toString('utf8', this.#bytesAt, end);
    this.#bytesAt = end;
    this.#textAt = 0;
  }

  number(): number {
    return this.#numbers[this.#at++] as number;
  }

  numberOrNull(): number | null {
    const value = this.number();
    return Number.isNaN(value) ? null : value;
  }

  text(): string {
    return this.textOrNull() as string;
  }

  textOrNull(): string | null {
    const length = this.number();
    if (length === NO_TEXT) return null;
    const from = this.#textAt;
    this.#textAt += length;
    return this.#text.slice(from, this.#textAt);
  }
}
