/** The Debian cloud image of `scripts/make-image` for tests. */
import { join } from 'node:path'
import { madeOnce } from '../../tools/kit/made-once.ts'

const FILE = 'debian.qcow2'
/** It fetches 150 packages and unpacks them. */
const DEADLINE_MS = 900_000

/** The image's path. */
export async function debianImage(): Promise<string> {
  return join(await madeOnce('make-image', FILE, { timeoutMs: DEADLINE_MS }), FILE)
}
