/**
 * What is committed fits every member's database. Production code gets over an entry that does not (a snapshot
 * replaces the database); here the first one ends the run.
 */
import { must, type Property } from "./property.ts";

const name = "committed entries fit";

export function entriesFit(): Property {
	return {
		name,
		on: {
			// Also asked where nothing is refused, so that a run can say that it looked.
			applied() {},
			"apply-refused"({ node, position, reason }) {
				must(false, name, () => `${node} cannot apply the entries up to ${position.index}: ${reason}`);
			},
		},
	};
}
