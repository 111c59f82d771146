/** One sleeper, many who may wake it. A wake while nobody sleeps is kept for the next sleep. */
export interface Signal {
	wake(): void;
	sleep(): Promise<void>;
}

export function createSignal(): Signal {
	let pending = false;
	let resolve: (() => void) | null = null;

	return {
		wake() {
			if (resolve === null) {
				pending = true;
				return;
			}
			const sleeper = resolve;
			resolve = null;
			sleeper();
		},
		sleep() {
			if (pending) {
				pending = false;
				return Promise.resolve();
			}
			return new Promise((done) => {
				resolve = done;
			});
		},
	};
}
