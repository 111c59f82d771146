// One thread of `npm run simulate`: runs the seeds that it is told, one after the other.
import { parentPort } from "node:worker_threads";
import { listenToEscapes } from "./escapes.ts";
import { profileOf } from "./profiles.ts";
import { type Order, runOne } from "./run-one.ts";

const port = parentPort;
if (port === null) throw new Error("this is a worker thread: start main.ts");

const escapes = listenToEscapes();
port.on("message", (order: Order) => {
	void runOne(order, profileOf(order.profile), escapes).then((result) => port.postMessage(result));
});
