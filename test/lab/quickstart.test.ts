/**
 * The first of the README's two commands, as a newcomer runs it: up, up again, down. In namespaces
 * of its own, where all directories that it may write to are on a file system that is discarded:
 * the machine of the test is not changed.
 */
import { resolve } from 'node:path'
import { beforeAll, expect, it } from 'vitest'
import { borrowMachine } from '../kit/borrowed.ts'
import { isLong } from '../long-files.ts'

const ROOT = resolve(import.meta.dirname, '../..')
const TIMEOUT_MS = 400_000

/** Takes away what the groups let in. */
const CLOSED = `
echo "== closed"
eval "$(atoll env)"
ec2() { aws --endpoint-url "$AWS_ENDPOINT_URL" --output text ec2 "$@"; }
rule=$(ec2 describe-security-group-rules --query 'SecurityGroupRules[?IsEgress==\`false\`].[GroupId,SecurityGroupRuleId]')
set -- $rule
ec2 revoke-security-group-ingress --group-id $1 --security-group-rule-ids $2
${ROOT}/scripts/quickstart 2>&1 && echo 'failed: it works'
`

const SCRIPT = `
echo "== first"
${ROOT}/scripts/quickstart & up=$!
until [ -e /run/lock/atoll-script.pid ]; do sleep 0.05; done
${ROOT}/scripts/quickstart --down >/mnt/too-early 2>&1 && echo 'failed: it was removed meanwhile'
wait $up || echo "failed with $?"
echo "== too early"
cat /mnt/too-early
echo "== second"
${ROOT}/scripts/quickstart || echo "failed with $?"
echo "== instances"
atoll instances
${isLong ? CLOSED : ''}
echo "== down"
# As on a hung disk: only an engine can end its containers.
kill -STOP "$(cat /run/atoll/docker.pid)"
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

it.runIf(isLong)('a run whose groups let nothing in ends, and says what to look at', () => {
  const shown = machine.part('closed')
  expect(shown).toMatch(/FAILED {2}two answers: /)
  expect(shown).toMatch(/What to do: .*atoll explain one two tcp\/80/)
  expect(shown).not.toContain('failed:')
})

it('--down is refused while it starts, and says what to wait for', () => {
  expect(machine.part('too early')).toMatch(
    /FAILED {2}process \d+ changes Atoll on this machine: .*quickstart/,
  )
  expect(machine.part('too early')).toMatch(/What to do: wait until it has ended/)
})

it('--down leaves nothing, although the engine hangs, also the second time', () => {
  expect(machine.part('down'), machine.ran.stderr).not.toContain('failed')
  expect(machine.left()).toBe('')
})
