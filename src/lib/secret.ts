/** Random secrets that a host makes for itself and keeps across restarts. */
import { randomBytes } from 'node:crypto'
import { link, readFile, unlink, writeFile } from 'node:fs/promises'

const SECRET_BYTES = 32

/** The secret in `file`, readable by root only; made whole or not at all where it is missing. */
export async function readSecret(file: string): Promise<Uint8Array> {
  const existing = await readFile(file).catch(() => null)
  if (existing?.length === SECRET_BYTES) return existing
  const fresh = `${file}.${process.pid}`
  await writeFile(fresh, randomBytes(SECRET_BYTES), { mode: 0o600 })
  try {
    if (existing !== null) await unlink(file)
    // link(2) refuses an existing name: whoever was first is everybody's.
    await link(fresh, file).catch(() => undefined)
  } finally {
    await unlink(fresh)
  }
  return await readFile(file)
}
