/** That a run of all tests sees what they leave on the machine. */
import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { afterAll, expect, it } from 'vitest'
import { stateDifferences } from './kit/machine-state.ts'

const MACHINE_STATE = resolve(import.meta.dirname, 'kit/machine-state.ts')
const directory = mkdtempSync(join(tmpdir(), 'atoll-state-'))
afterAll(() => rmSync(directory, { recursive: true }))

/** Prints the state before and after, as JSON. In namespaces of its own, so that nothing stays. */
const SCRIPT = `
set -eu
mount -t tmpfs tmpfs /opt
touch /opt/atoll-was-there
state() { node --input-type=module -e 'console.log(JSON.stringify(await (await import("${MACHINE_STATE}")).machineState(["${directory}"])))'; }
state
rm /opt/atoll-was-there
mkdir -p /opt/deep/atoll
ip link add left0 type bridge
nft add table inet atoll_left
mkdir ${directory}/mounted
mount -t tmpfs tmpfs ${directory}/mounted
(cd ${directory} && exec sleep 60) >/dev/null &
state
kill $!
`

it.skipIf(process.getuid?.() !== 0)('names what is left and what is gone (needs root)', () => {
  const argv = ['--net', '--mount', '--propagation', 'private', 'bash', '-c', SCRIPT]
  const { stdout, stderr } = spawnSync('unshare', argv, { encoding: 'utf8' })
  const [before = [], after = []] = stdout
    .split('\n')
    .filter((line) => line !== '')
    .map((line): readonly string[] => JSON.parse(line))
  // Mounts and control groups of other tests come and go meanwhile.
  const isOthers = (line: string) =>
    / (?:mount|file) /.test(line) && !line.includes(' /opt/') && !line.includes(directory)
  const found = stateDifferences(before, after)
    .filter((line) => !isOthers(line))
    .map((line) => line.replace(/process \d+/, 'process'))
  expect(found, stderr).toEqual([
    'left file /opt/deep/atoll',
    'left link left0',
    `left mount ${directory}/mounted`,
    'left nft table inet atoll_left',
    'left process sleep 60',
    'gone file /opt/atoll-was-there',
  ])
  expect(stateDifferences(after, after)).toEqual([])
})
