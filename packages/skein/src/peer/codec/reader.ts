/**
 * A cursor that reads the primitives of the wire format (writer.ts has their grammar). It trusts
 * nothing: every length is compared with the bytes that are left before anything is allocated.
 */
import { malformed } from "./wire-error.ts";
import { isNameByte } from "./writer.ts";

/** Fatal: invalid UTF-8 is an error. ignoreBOM: true means that a leading U+FEFF is kept as part of the text. */
const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
const shortStringLength = 24;

export class Reader {
	readonly #bytes: Uint8Array;
	/** Of the bytes, from when it is first needed. */
	#view: DataView | null = null;
	#offset = 0;

	constructor(bytes: Uint8Array) {
		// A plain Uint8Array, since `slice` of Node's Buffer does not copy.
		const isPlain = bytes.constructor === Uint8Array;
		this.#bytes = isPlain ? bytes : new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength);
	}

	/** Most messages have no number that needs it, and to make it costs as much as to read a small one. */
	#wide(): DataView {
		const { buffer, byteOffset, byteLength } = this.#bytes;
		this.#view ??= new DataView(buffer, byteOffset, byteLength);
		return this.#view;
	}

	get remaining(): number {
		return this.#bytes.length - this.#offset;
	}

	end(): void {
		if (this.remaining !== 0) throw malformed(`${this.remaining} bytes after the end of the message`);
	}

	#take(sizeBytes: number): number {
		const start = this.#offset;
		if (sizeBytes > this.#bytes.length - start) {
			throw malformed(`${sizeBytes} bytes expected at ${start}, ${this.remaining} left`);
		}
		this.#offset = start + sizeBytes;
		return start;
	}

	u8(): number {
		const byte = this.#bytes[this.#offset];
		if (byte === undefined) throw malformed(`a byte expected at ${this.#offset}, none left`);
		this.#offset++;
		return byte;
	}

	bool(): boolean {
		const byte = this.u8();
		if (byte > 1) throw malformed(`${byte} is not a boolean`);
		return byte === 1;
	}

	u32(): number {
		const start = this.#take(4);
		let value = 0;
		for (let index = start + 3; index >= start; index--) value = value * 256 + (this.#bytes[index] ?? 0);
		return value;
	}

	varint(): number {
		const first = this.u8();
		if (first < 0x80) return first;
		let value = first & 0x7f;
		let factor = 128;
		for (let count = 1; count < 8; count++) {
			const byte = this.u8();
			value += (byte & 0x7f) * factor;
			if (byte < 0x80) {
				if (byte === 0) throw malformed("a number is not in its shortest form");
				if (value > Number.MAX_SAFE_INTEGER) throw malformed("a number is above 2^53-1");
				return value;
			}
			factor *= 128;
		}
		throw malformed("a number is longer than eight bytes");
	}

	f64(): number {
		return this.#wide().getFloat64(this.#take(8), true);
	}

	i64(): bigint {
		return this.#wide().getBigInt64(this.#take(8), true);
	}

	/** A view of the received bytes: it keeps them all alive. */
	bytesView(): Uint8Array {
		const length = this.varint();
		const start = this.#take(length);
		return this.#bytes.subarray(start, start + length);
	}

	/** A copy, for whatever is kept. */
	bytesCopy(): Uint8Array {
		const length = this.varint();
		const start = this.#take(length);
		return this.#bytes.slice(start, start + length);
	}

	/** A reader of the rest, over a copy of it, so that views into it do not pin the receive buffer. */
	copyRest(): Reader {
		const start = this.#take(this.remaining);
		return new Reader(this.#bytes.slice(start));
	}

	string(): string {
		const length = this.varint();
		const start = this.#take(length);
		if (length <= shortStringLength) {
			let text = "";
			let index = start;
			for (; index < start + length; index++) {
				const byte = this.#bytes[index] ?? 0x80;
				if (byte > 0x7f) break;
				text += String.fromCharCode(byte);
			}
			if (index === start + length) return text;
		}
		try {
			return decoder.decode(this.#bytes.subarray(start, start + length));
		} catch {
			throw malformed(`the text at ${start} is not UTF-8`);
		}
	}

	name(): string {
		const length = this.u8();
		if (length < 1 || length > 64) throw malformed(`a node id has 1 to 64 bytes, not ${length}`);
		const start = this.#take(length);
		let name = "";
		for (let index = start; index < start + length; index++) {
			const byte = this.#bytes[index] ?? 0;
			if (!isNameByte(byte)) throw malformed(`the byte ${byte} is not allowed in a node id`);
			name += String.fromCharCode(byte);
		}
		return name;
	}

	/** One of a fixed list, by its place in it. */
	choice<T>(choices: readonly T[], what: string): T {
		const place = this.u8();
		const choice = choices[place];
		if (choice === undefined) throw malformed(`${place} is not a ${what}`);
		return choice;
	}

	option<T>(read: (reader: Reader) => T): T | null {
		return this.bool() ? read(this) : null;
	}

	/** `least`: the fewest bytes that an element can take; bounds the count by what is there. */
	list<T>(read: (reader: Reader) => T, least = 1): T[] {
		const count = this.varint();
		if (count * least > this.remaining) {
			throw malformed(`a list of ${count} elements in ${this.remaining} bytes`);
		}
		const values: T[] = [];
		for (let index = 0; index < count; index++) values.push(read(this));
		return values;
	}
}
