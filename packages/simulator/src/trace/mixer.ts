/** A hash of a stream of plain values: 64 bits, in the order in which they come. */
export interface Mixer {
	readonly word: (value: number) => void;
	readonly value: (value: unknown) => void;
	/** Of all so far. 16 hexadecimal digits. */
	readonly hash: () => string;
}

export function createMixer(): Mixer {
	let high = 0x811c9dc5;
	let low = 0x2c1b3c6d;

	function word(value: number): void {
		high = Math.imul(high ^ value, 0x01000193);
		low = Math.imul(((low << 5) | (low >>> 27)) ^ value, 0x297a2d39);
	}

	function text(value: string): void {
		word(value.length);
		for (let place = 0; place < value.length; place++) word(value.charCodeAt(place));
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
		hash: () => hexadecimal(high) + hexadecimal(low),
	};
}

const hexadecimal = (value: number): string => (value >>> 0).toString(16).padStart(8, "0");
