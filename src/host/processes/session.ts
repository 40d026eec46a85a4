/** The processes of a session (setsid(2)). */
import { readdir, readFile } from 'node:fs/promises'
import { statFields } from './stat.ts'

/** Index of the session among the fields of `statFields`. */
const SESSION = 3

/** The ids of all processes of a session, also when its leader has ended. */
export async function processesOfSession(leader: number): Promise<readonly number[]> {
  const found: number[] = []
  for (const name of await readdir('/proc')) {
    if (!/^\d+$/.test(name)) continue
    const stat = await readFile(`/proc/${name}/stat`, 'utf8').catch(() => null)
    if (stat !== null && Number(statFields(stat)[SESSION]) === leader) found.push(Number(name))
  }
  return found
}
