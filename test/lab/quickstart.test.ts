/**
 * The first of the README's two commands, as a newcomer runs it: up, up again, down. In namespaces
 * of its own, where all directories that it may write to are on a file system that is discarded:
 * the machine of the test is not changed.
 */
import { resolve } from 'node:path'
import { beforeAll, expect, it } from 'vitest'
import { borrowMachine } from '../kit/borrowed.ts'

const ROOT = resolve(import.meta.dirname, '../..')
const TIMEOUT_MS = 240_000

const SCRIPT = `
for round in first second; do
  echo "== $round"
  ${ROOT}/scripts/quickstart || echo "failed with $?"
done
echo "== instances"
atoll instances
echo "== down"
${ROOT}/scripts/quickstart --down || echo "failed with $?"
${ROOT}/scripts/quickstart --down || echo "failed with $?"
`

let machine: Awaited<ReturnType<typeof borrowMachine>>

beforeAll(async () => {
  machine = await borrowMachine(SCRIPT, TIMEOUT_MS)
}, TIMEOUT_MS)

it.each(['first', 'second'])('the %s run shows two instances that work', (round) => {
  const shown = machine.part(round)
  expect(shown, machine.ran.stdout + machine.ran.stderr).not.toContain('failed')
  expect(shown).toMatch(/inet 172\.31\.\d+\.\d+\/20/)
  expect(shown).toMatch(/Name:\s+two\.atoll\.internal/)
  expect(shown).toContain('Hello from an Atoll instance.')
  expect(shown).toContain('you come from 198.51.100.1')
  expect(shown).toMatch(/instance-id i-[0-9a-f]{17}/)
})

it('the first run launches both, the second finds them', () => {
  expect(machine.part('first').match(/running \d+ ms after RunInstances/g)).toHaveLength(2)
  expect(machine.part('second').match(/was running/g)).toHaveLength(2)
  expect(machine.part('instances').match(/ running /g)).toHaveLength(2)
})

it('--down leaves nothing, also the second time', () => {
  expect(machine.part('down')).not.toContain('failed')
  expect(machine.left()).toBe('')
})
