/** The bytes of a configuration: there and back, and nothing that was cut or changed is taken for one. */
import { expect, test } from "vitest";
import { decodeConfiguration, encodeConfiguration, initialConfiguration } from "./configuration.ts";
import { type Configuration, electorNames } from "./types.ts";

const members = [
	{ id: "n2", peer: "b.example:7000" },
	{ id: "n1", peer: "[::1]:7000" },
];

test("the first configuration has the same bytes on every member, in whatever order they were named", () => {
	const one = encodeConfiguration(initialConfiguration(members));
	const other = encodeConfiguration(initialConfiguration([...members].reverse()));
	expect(one).toEqual(other);
	expect(decodeConfiguration(one)).toEqual(initialConfiguration(members));
});

test("a joint configuration with a learner comes back as it was", () => {
	const joint = {
		members: ["a", "b", "c", "d"].map((id) => ({ id, peer: `${id}:1` })),
		voters: ["a", "b"],
		outgoingVoters: ["b", "c"],
		learners: ["d"],
		joining: [],
		retired: [],
	};
	expect(decodeConfiguration(encodeConfiguration(joint))).toEqual(joint);
});

test("retired ids come back too; without any the bytes are those that earlier versions know", () => {
	const first = initialConfiguration(members);
	const configuration = {
		...first,
		voters: ["n1"],
		learners: ["n2"],
		joining: ["n2"],
		retired: ["n0", "n7"],
	};
	const bytes = encodeConfiguration(configuration);
	expect(decodeConfiguration(bytes)).toEqual(configuration);
	expect(bytes[0]).toBe(2);
	expect(encodeConfiguration(initialConfiguration(members))[0]).toBe(1);
	expect(() => encodeConfiguration({ ...configuration, joining: ["n1"] })).toThrow(/no learner/);
	expect(() => encodeConfiguration({ ...configuration, retired: ["n1"] })).toThrow(/used up/);
});

test("priorities come back too, with all else; without any the bytes are as before", () => {
	const first = initialConfiguration(members);
	const configuration: Configuration = {
		...first,
		members: first.members.map((one) => (one.id === "n1" ? { ...one, priority: "preferred" } : one)),
		voters: ["n1"],
		learners: ["n2"],
		joining: ["n2"],
		retired: ["n0"],
	};
	const bytes = encodeConfiguration(configuration);
	expect(bytes[0]).toBe(3);
	expect(decodeConfiguration(bytes)).toEqual(configuration);
	for (let length = 0; length < bytes.length; length++)
		expect(() => decodeConfiguration(bytes.subarray(0, length))).toThrow(/too short|configuration/);
	const place = bytes.indexOf(1, 3);
	expect(() => decodeConfiguration(bytes.with(place, 7))).toThrow(/consensus/);
	const nobody = { ...first, members: first.members.map((one) => ({ ...one, priority: "never" as const })) };
	expect(() => encodeConfiguration(nobody)).toThrow(/may lead/);
});

test("the elector comes back too; without one the bytes are as before", () => {
	const first = initialConfiguration(members);
	for (const elector of electorNames) {
		const configuration: Configuration = { ...first, retired: ["n0"], elector };
		const bytes = encodeConfiguration(configuration);
		expect(bytes[0]).toBe(4);
		expect(decodeConfiguration(bytes)).toEqual(configuration);
		expect(() => decodeConfiguration(bytes.subarray(0, -1))).toThrow(/too short/);
		expect(() => decodeConfiguration(bytes.with(-1, 99))).toThrow(/unknown elector/);
	}
});

test("what is too short, too long, of another version or without sense is refused", () => {
	const bytes = encodeConfiguration(initialConfiguration(members));
	for (let length = 0; length < bytes.length; length++) {
		expect(() => decodeConfiguration(bytes.subarray(0, length))).toThrow(/too short|configuration/);
	}
	expect(() => decodeConfiguration(Uint8Array.from([...bytes, 0]))).toThrow(/too long/);
	expect(() => decodeConfiguration(Uint8Array.from([9, ...bytes.subarray(1)]))).toThrow(/format 9/);
	expect(() => initialConfiguration([{ id: "n 1", peer: "a:1" }])).toThrow(/node id/);
	expect(() => initialConfiguration([{ id: "n1", peer: "ä:1" }])).toThrow(/peer/);
	expect(() => initialConfiguration([members[0], members[0]].flatMap((one) => one ?? []))).toThrow(/twice/);
	expect(() => initialConfiguration([])).toThrow(/without voters/);
});

/** Of so many voters. */
function voters(count: number): Configuration {
	return initialConfiguration(
		Array.from({ length: count }, (_, place) => ({ id: `m${place}`, peer: `m${place}:1` })),
	);
}

test("a first configuration says of a member no more than is so", () => {
	const three = [...members, { id: "w1", peer: "w:1", witness: true as const }];
	expect(initialConfiguration(three).members).toStrictEqual([
		{ id: "n1", peer: "[::1]:7000" },
		{ id: "n2", peer: "b.example:7000" },
		{ id: "w1", peer: "w:1", witness: true },
	]);
	const bytes = encodeConfiguration(initialConfiguration(three));
	expect(bytes[0]).toBe(3);
	expect(decodeConfiguration(bytes)).toStrictEqual(initialConfiguration(three));
	const plain = encodeConfiguration(initialConfiguration(members));
	expect(decodeConfiguration(plain)).toStrictEqual(initialConfiguration(members));
});

test("as many members and retired ids as there may be come back, and one more is refused", () => {
	const retired = Array.from({ length: 1_000 }, (_, place) => `r${place}`);
	const most = { ...voters(64), retired };
	expect(decodeConfiguration(encodeConfiguration(most))).toEqual(most);
	expect(() => voters(65)).toThrow("a configuration of 65 members");
	expect(() => encodeConfiguration({ ...most, retired: [...retired, "r1000"] })).toThrow("1001 retired ids");
	expect(() => encodeConfiguration({ ...most, retired: ["r 0"] })).toThrow("retired id");
});

test("a list that is longer than one may be is not read", () => {
	expect(() => decodeConfiguration(Uint8Array.of(1, 0xff, 0xff))).toThrow("a list of 65535 nodes");
	expect(() => decodeConfiguration(Uint8Array.of(1, 0, 65))).toThrow("a list of 65 nodes");
});

test("bytes that say what cannot be meant are refused like what was meant", () => {
	const bytes = encodeConfiguration(initialConfiguration(members));
	// The last voter's name is near the end, behind it two empty lists.
	const place = bytes.length - 5;
	expect(String.fromCharCode(bytes[place] ?? 0)).toBe("2");
	expect(() => decodeConfiguration(bytes.with(place, "7".charCodeAt(0)))).toThrow("n7 is not a member");
	expect(() => decodeConfiguration(bytes.with(0, 0))).toThrow("configuration format 0");
});

test("every member has one place, a witness that of a voter, and no priority", () => {
	const witnessed = initialConfiguration([...members, { id: "w1", peer: "w:1", witness: true }]);
	const withoutVote = { ...witnessed, voters: ["n1", "n2"] };
	expect(() => encodeConfiguration(withoutVote)).toThrow("member w1 is neither voter nor learner");
	expect(() => encodeConfiguration({ ...withoutVote, learners: ["w1"] })).toThrow(
		"the witness w1 does not vote",
	);
	const preferred = witnessed.members.map((one) => ({ ...one, priority: "preferred" as const }));
	expect(() => encodeConfiguration({ ...witnessed, members: preferred })).toThrow(
		"the witness w1 has a priority",
	);
	expect(() => encodeConfiguration({ ...witnessed, learners: ["n1"] })).toThrow("n1 is voter and learner");
	expect(encodeConfiguration({ ...withoutVote, outgoingVoters: ["n1", "n2", "w1"] })[0]).toBe(3);
});

test.each([`${"a".repeat(254)}:1`, "a:1 b:1", "a:1\n", ""])("%j is no address", (peer) => {
	expect(() => initialConfiguration([{ id: "n1", peer }])).toThrow("peer address");
	expect(initialConfiguration([{ id: "n1", peer: "a".repeat(255) }]).members[0]?.peer).toHaveLength(255);
});

test("everybody that is named is a member, every member has a part, and ids that are used up are ids", () => {
	const first = initialConfiguration(members);
	for (const list of ["voters", "outgoingVoters", "learners", "joining"] as const)
		expect(() => encodeConfiguration({ ...first, [list]: [...first[list], "n3"] })).toThrow(/not a member/);
	expect(() => encodeConfiguration({ ...first, voters: ["n1"] })).toThrow(/n2 is neither voter nor learner/);
	expect(() => encodeConfiguration({ ...first, retired: ["n 0"] })).toThrow(/retired id "n 0"/);
});
