/**
 * The first of the README's two commands, as a newcomer runs it: up, up again, down. In namespaces of its own, with everything that it
 * may write to lying on a file system that goes with them, so that the machine of the test stays as it was.
 */
import { resolve } from 'node:path'
import { beforeAll, expect, it } from 'vitest'
import { execute } from '../kit/cloud.ts'
import type { Ran } from '../kit/netns.ts'

const ROOT = resolve(import.meta.dirname, '../..')
const TIMEOUT_MS = 240_000

/** Copies of the directories that commands and settings are put into, and empty ones for state. */
const SCRIPT = `
set -u
ip link set lo up
mount -t tmpfs tmpfs /mnt
cp -a /usr/local/bin /mnt/bin && mount --bind /mnt/bin /usr/local/bin
cp -a /etc /mnt/etc && mount --bind /mnt/etc /etc
mkdir /mnt/log /mnt/cache /mnt/lib && mount --bind /mnt/log /var/log && mount --bind /mnt/cache /var/cache
mkdir -p /var/lib/atoll && mount -t tmpfs tmpfs /var/lib/atoll
mount -t tmpfs tmpfs /run
before=$(find /mnt -path '*atoll*' | sort; ls /usr/local/bin)
for round in first second; do
  echo "== $round"
  ${ROOT}/scripts/quickstart || echo "failed with $?"
done
echo "== instances"
atoll instances
echo "== down"
${ROOT}/scripts/quickstart --down || echo "failed with $?"
${ROOT}/scripts/quickstart --down || echo "failed with $?"
echo "== left"
ip -o link | grep -v ' lo:'
ip route show table all proto 167
nft list tables
ip netns list
find /var/lib/atoll -mindepth 1
find /run -path '*atoll*'
after=$(find /mnt -path '*atoll*' | sort; ls /usr/local/bin)
diff <(echo "$before") <(echo "$after")
echo "== end"
`

let said: string
let ran: Ran

/** What was said between this heading and the next. */
function part(heading: string): string {
  const [, after = ''] = said.split(`== ${heading}\n`)
  return after.split('== ')[0] ?? ''
}

beforeAll(async () => {
  const namespaces = ['--net', '--mount', '--propagation', 'private']
  ran = await execute('unshare', [...namespaces, 'bash', '-c', SCRIPT], { timeoutMs: TIMEOUT_MS })
  said = ran.stdout
}, TIMEOUT_MS)

it.each(['first', 'second'])('the %s run shows two instances that work', (round) => {
  const shown = part(round)
  expect(shown, said + ran.stderr).not.toContain('failed')
  expect(shown).toMatch(/inet 172\.31\.\d+\.\d+\/20/)
  expect(shown).toMatch(/Name:\s+two\.atoll\.internal/)
  expect(shown).toContain('Hello from an Atoll instance.')
  expect(shown).toContain('you come from 198.51.100.1')
  expect(shown).toMatch(/instance-id i-[0-9a-f]{17}/)
})

it('the first run launches both, the second finds them', () => {
  expect(part('first').match(/running \d+ ms after RunInstances/g)).toHaveLength(2)
  expect(part('second').match(/was running/g)).toHaveLength(2)
  expect(part('instances').match(/ running /g)).toHaveLength(2)
})

it('--down leaves nothing, also the second time', () => {
  expect(part('down')).not.toContain('failed')
  expect(part('left')).toBe('')
})
