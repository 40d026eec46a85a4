/** Random secrets that a host creates for itself and keeps across restarts. */
import { randomBytes } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { codeOf } from './errno.ts'
import { createFile } from './files.ts'

const SECRET_BYTES = 32

interface SecretOptions {
  /**
   * What cannot be read, or is not recognised, without the secret. A damaged file is then an error,
   * because a new secret would be a loss that nobody notices. Null: a new one does no harm.
   */
  readonly guards: string | null
}

/**
 * The secret in `file`, which only root can read. A missing one is created. Rejects when the file
 * is there and has no secret, or cannot be read; the message says what to do.
 */
export async function readSecret(file: string, { guards }: SecretOptions): Promise<Uint8Array> {
  const existing = await readFile(file).catch((error: unknown) => {
    if (codeOf(error) === 'ENOENT') return null
    throw damaged(file, `cannot be read (${String(error)})`, guards, error)
  })
  if (existing?.length === SECRET_BYTES) return existing
  if (existing !== null && guards !== null)
    throw damaged(file, `has ${existing.length} bytes instead of ${SECRET_BYTES}`, guards)
  const secret = randomBytes(SECRET_BYTES)
  await createFile(file, secret, { mode: 0o600, replaces: existing !== null })
  return await readFile(file)
}

function damaged(file: string, what: string, guards: string | null, cause?: unknown): Error {
  const lost = guards === null ? '' : ` Without it ${guards}.`
  return new Error(
    `The secret ${file} ${what}. Restore it from a backup, or remove it to have a new one made.${lost}`,
    { cause },
  )
}
