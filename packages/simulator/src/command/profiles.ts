// The profiles by name, on Node: how the world waits until everything has settled is the platform's.
import { crc32 } from "node:zlib";
import { type Profile, registersProfile } from "../machine/store.ts";
import type { ProfileName } from "./run-one.ts";
import { createSettle } from "./settle.ts";
import { sqliteProfile } from "./sqlite/sqlite-profile.ts";

export function profileOf(name: ProfileName): Profile {
	switch (name) {
		case "registers":
			return registersProfile(createSettle(), crc32);
		case "sqlite":
			return sqliteProfile(createSettle());
		default: {
			const never: never = name;
			throw new Error(String(never));
		}
	}
}
