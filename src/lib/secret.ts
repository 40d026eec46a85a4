/** Random secrets that a host creates for itself and keeps across restarts. */
import { randomBytes } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { createFile } from './files.ts'

const SECRET_BYTES = 32

/** The secret in `file`, which only root can read. A missing one is created. */
export async function readSecret(file: string): Promise<Uint8Array> {
  const existing = await readFile(file).catch(() => null)
  if (existing?.length === SECRET_BYTES) return existing
  const secret = randomBytes(SECRET_BYTES)
  await createFile(file, secret, { mode: 0o600, replaces: existing !== null })
  return await readFile(file)
}
