/**
 * Programs that send floods from an instance's network with its share of the processor, and
 * commands inside the instance.
 */
import { systemRunner } from '../../../src/lib/runner.ts'
import { parseId } from '../../../src/model/ids.ts'
import { containerName } from '../../../src/model/names.ts'
import { checked } from '../../lab/run.ts'
import type { AttackContext, Place } from './attack.ts'

const PATIENCE_MS = 60_000
/** Its arguments: the group's directory, the namespace, the program. */
const ENTER =
  '[ -z "$1" ] || echo $$ > "$1/cgroup.procs"; ns=$2; shift 2; exec nsenter --net="$ns" python3 -c "$@"'

/**
 * Runs Python in the network of an instance, with its share of processor time. Returns the output.
 */
export async function pythonIn(place: Place, script: string, ...args: string[]): Promise<string> {
  const argv = ['-c', ENTER, 'sh', place.cpuGroup ?? '', place.netnsFile, script, ...args]
  const result = await systemRunner('sh', argv, { timeoutMs: PATIENCE_MS })
  return checked(['python3', ...args], result).trim()
}

/**
 * Runs a shell command in an instance's container. The exit code does not matter, because limits
 * may end it.
 */
export async function insideContainer(
  { host }: AttackContext,
  { id }: Place,
  line: string,
): Promise<string> {
  const instance = parseId('i', id)
  if (instance === undefined) throw new Error(`${id} is no instance`)
  const argv = ['docker', 'exec', containerName(instance), 'sh', '-c', line]
  const { stdout, stderr } = await host.exec(argv, { timeoutMs: PATIENCE_MS })
  return `${stdout}${stderr}`.trim()
}

/** Python: the beginning of every flood. Its arguments: seconds, address, others. */
export const FLOOD_HEAD = `
import os, random, socket, struct, sys, time
seconds = float(sys.argv[1]); to = sys.argv[2]
end = time.monotonic() + seconds
sent = 0
def more():
    global sent
    sent += 1
    return sent % 64 != 0 or time.monotonic() < end
`
