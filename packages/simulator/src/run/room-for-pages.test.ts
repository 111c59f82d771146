/** What a run needs to end in time where whole pages are logged and sent. */
import { expect, test } from "vitest";
import { statePagesCount } from "../../../skein/src/database/pages/state-pages.ts";
import { createChance } from "../engine/chance.ts";
import { roomForPages } from "./room-for-pages.ts";
import { drawPlan, type RunPlan } from "./swarm.ts";

/** There and back on the slowest network that is drawn; at worst one chunk is on its way at a time. */
const slowAnswerMs = 2 * (10 + 20);
/** That a healed majority may take, whatever its elections take beside it. */
const leastLivenessMs = 20_000;

function draw(seed: number): RunPlan {
	return drawPlan(createChance(seed).fork("plan"), { seconds: 20 });
}

function mayBeWal({ store }: RunPlan): boolean {
	return store.format.first === "wal" || store.format.changesEveryMs !== null;
}

test("the pages that each snapshot has reach a follower within a part of what a healed majority may take", () => {
	const counts = { wal: 0, small: 0, smallWithoutWal: 0 };
	for (let seed = 1; seed <= 200; seed++) {
		const drawn = draw(seed);
		const isSmall = drawn.settings.snapshotChunkBytes < 4_096;
		if (mayBeWal(drawn)) counts.wal++;
		if (isSmall) counts.small++;
		if (isSmall && !mayBeWal(drawn)) counts.smallWithoutWal++;
		const chunks = Math.ceil((statePagesCount * 4_096) / roomForPages(drawn).settings.snapshotChunkBytes);
		expect(chunks * slowAnswerMs, `seed ${seed}`).toBeLessThan(leastLivenessMs / 3);
	}
	expect(counts.wal).toBeGreaterThan(50);
	expect(counts.small).toBeGreaterThan(10);
	expect(counts.smallWithoutWal).toBeGreaterThan(5);
});

test("a run that never logs pages is otherwise left as it was drawn", () => {
	const drawn = Array.from({ length: 50 }, (_, seed) => draw(seed)).filter((plan) => !mayBeWal(plan));
	expect(drawn.length).toBeGreaterThan(5);
	for (const plan of drawn) {
		const { settings } = plan;
		const snapshotChunkBytes = Math.max(settings.snapshotChunkBytes, 4_096);
		expect(roomForPages(plan)).toEqual({ ...plan, settings: { ...settings, snapshotChunkBytes } });
	}
});
