/** A hash of a stream of plain values: 64 bits, in the order in which they come. */
export interface Mixer {
	readonly word: (value: number) => void;
	readonly value: (value: unknown) => void;
	/** Of all so far. 16 hexadecimal digits. */
	readonly hash: () => string;
}

export function createMixer(): Mixer {
	/** High and low. They do not fit into 31 bits: a variable that functions share would be a boxed number. */
	const halves = new Int32Array([0x811c9dc5, 0x2c1b3c6d]);

	function word(value: number): void {
		halves[0] = mixHigh(halves[0] ?? 0, value);
		halves[1] = mixLow(halves[1] ?? 0, value);
	}

	function text(value: string): void {
		word(value.length);
		let high = halves[0] ?? 0;
		let low = halves[1] ?? 0;
		for (let place = 0; place < value.length; place++) {
			const code = value.charCodeAt(place);
			high = mixHigh(high, code);
			low = mixLow(low, code);
		}
		halves[0] = high;
		halves[1] = low;
	}

	function number(value: number): void {
		// Times have fractions: both halves of 2 ** 53.
		const scaled = Math.round(value * 1024);
		word(scaled | 0);
		word((scaled / 4294967296) | 0);
	}

	return {
		word,
		value(value) {
			switch (typeof value) {
				case "string":
					return text(value);
				case "number":
					return number(value);
				case "boolean":
					return word(value ? 1 : 2);
				case "undefined":
					return word(4);
				default:
					// Plain values: null.
					return word(3);
			}
		},
		hash: () => hexadecimal(halves[0] ?? 0) + hexadecimal(halves[1] ?? 0),
	};
}

const mixHigh = (high: number, value: number): number => Math.imul(high ^ value, 0x01000193);
const mixLow = (low: number, value: number): number =>
	Math.imul(((low << 5) | (low >>> 27)) ^ value, 0x297a2d39);

const hexadecimal = (value: number): string => (value >>> 0).toString(16).padStart(8, "0");
