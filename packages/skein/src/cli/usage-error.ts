// The command line was used wrongly: exit code 2, and a message without a stack.
export class UsageError extends Error {
	override readonly name = "UsageError";
	/** Whose help says how it is used; null: that of all commands. */
	readonly command: string | null;

	constructor(message: string, command: string | null = null) {
		super(message);
		this.command = command;
	}
}
