// What can lose something is done only with the sentence that says what: typed by whoever sits there, or in --confirm.
import { createInterface } from "node:readline/promises";
import { sentenceIn } from "../node/confirmation.ts";

/** Asks the cluster, and once more with the sentence if that is what it wants and somebody types it. */
export async function confirmed(
	given: string | null,
	ask: (confirm: string | null) => Promise<unknown>,
): Promise<unknown> {
	try {
		return await ask(given);
	} catch (error) {
		const sentence = error instanceof Error ? sentenceIn(error.message) : null;
		if (sentence === null) throw error;
		if (given !== null || !process.stdin.isTTY || !process.stderr.isTTY) throw withHint(error, sentence);
		if (!(await isTyped(error, sentence))) throw new Error("nothing was done: the sentence was not typed");
		return await ask(sentence);
	}
}

async function isTyped(error: unknown, sentence: string): Promise<boolean> {
	const lines = createInterface({ input: process.stdin, output: process.stderr });
	try {
		console.error(error instanceof Error ? error.message : String(error));
		// Ctrl-C and Ctrl-D end the question with an error: that is a no as well.
		const typed = await lines.question("type that sentence: ").catch(() => "");
		return typed.trim() === sentence;
	} finally {
		lines.close();
	}
}

function withHint(error: unknown, sentence: string): Error {
	const why = error instanceof Error ? error.message : String(error);
	return new Error(`${why}; in a script: --confirm ${JSON.stringify(sentence)}`, { cause: error });
}
