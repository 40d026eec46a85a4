/**
 * What the guard of the engines writes, however many of it run at once: the units of both engines
 * and a watching program run it at the start of a host, and an operator may run it by hand. Two of
 * them once moved each other's unfinished copy of a certificate into place: MariaDB could not read
 * it, and nobody made it again. Of two that admitted a host, one was lost.
 */
import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { OWN_DIRECTORIES } from '../kit/borrowed.ts'

const GUARD = join(import.meta.dirname, '../../scripts/engines-guard')
const AT_ONCE = 6
const ROUNDS = 8
const ADMITTED = 12
const PEERS = 200
/** An own /etc with empty directories of the engines, and a certificate to copy. */
const PREPARE = `
set -eu
guard=$1
mount -t tmpfs tmpfs /mnt
own=/mnt
${OWN_DIRECTORIES}
rm -rf /etc/mysql /etc/rabbitmq
mkdir -p /etc/atoll/tls /etc/mysql /etc/rabbitmq /var/lib/atoll
printf 'ENGINES_NAME=h1\\nENGINES_ADDRESS=127.0.0.1\\nENGINES_NODES=127.0.0.1\\n' >/etc/atoll/engines.conf
head -c 32 /dev/urandom | base64 >/etc/atoll/secret
chmod 600 /etc/atoll/secret
"$guard" certificates >/dev/null
modes() { stat -c '%U %a %n' /etc/mysql/atoll-tls/* /etc/rabbitmq/atoll-tls/*; }
`
const WHOLE = [
  'mysql 444 /etc/mysql/atoll-tls/ca.crt',
  'mysql 444 /etc/mysql/atoll-tls/host.crt',
  'mysql 400 /etc/mysql/atoll-tls/host.key',
  'rabbitmq 444 /etc/rabbitmq/atoll-tls/ca.crt',
  'rabbitmq 444 /etc/rabbitmq/atoll-tls/host.crt',
  'rabbitmq 400 /etc/rabbitmq/atoll-tls/host.key',
]

function run(script: string): { readonly lines: readonly string[]; readonly said: string } {
  const own = ['--mount', '--net', '--pid', '--fork', '--mount-proc']
  const argv = [...own, 'bash', '-c', `${PREPARE}${script}`, 'test', GUARD]
  const { stdout, stderr } = spawnSync('unshare', argv, { encoding: 'utf8' })
  return { lines: stdout.split('\n').filter((line) => line !== ''), said: stderr }
}

describe.skipIf(process.getuid?.() !== 0)('certificates of the engines (needs root)', () => {
  it('are whole when several copy them at once', () => {
    const { lines, said } = run(`
ip link set lo up
for round in $(seq ${ROUNDS}); do
  rm -rf /etc/mysql/atoll-tls /etc/rabbitmq/atoll-tls
  for one in $(seq ${AT_ONCE}); do "$guard" apply & done
  wait
  modes
done`)
    expect(said).toBe('')
    expect(lines).toEqual(Array.from({ length: ROUNDS }, () => WHOLE).flat())
  })

  it('are made anew when their user may not read them, or others may', () => {
    const { lines, said } = run(`
chown root:root /etc/mysql/atoll-tls/ca.crt
chmod 600 /etc/mysql/atoll-tls/ca.crt
chmod 444 /etc/rabbitmq/atoll-tls/host.key
"$guard" certificates >/dev/null
modes`)
    expect(said).toBe('')
    expect(lines).toEqual(WHOLE)
  })
})

describe.skipIf(process.getuid?.() !== 0)('hosts that are let in (needs root)', () => {
  it('are all let in and remembered when several are admitted at once', () => {
    const { lines, said } = run(`
ip link set lo up
for one in $(seq ${ADMITTED}); do "$guard" admit 192.0.2.$one & done
wait
"$guard" admit 192.0.2.1
grep ^ENGINES_PEERS= /etc/atoll/engines.conf | cut -d= -f2 | tr , '\n' | sort -t. -k4n
stat -c '%a' /etc/atoll/engines.conf
ls -A /etc/atoll`)
    expect(said).toBe('')
    const admitted = Array.from({ length: ADMITTED }, (_, at) => `192.0.2.${at + 1}`)
    expect(lines).toEqual([...admitted, '600', 'engines.conf', 'secret', 'tls'])
  })

  it('are stored as a whole when several notice them at once', () => {
    const { lines, said } = run(`
ip link set lo up
nft -f - <<RULES
table inet atoll { set peers { type ipv4_addr; elements = { $(seq -s , -f '10.9.8.%g' ${PEERS}) }; }; }
RULES
for round in $(seq ${ROUNDS}); do
  rm -f /var/lib/atoll/engine-peers
  for one in $(seq ${AT_ONCE}); do "$guard" apply & done
  wait
  wc -l </var/lib/atoll/engine-peers
done
ls -A /var/lib/atoll`)
    expect(said).toBe('')
    expect(lines).toEqual([...Array.from({ length: ROUNDS }, () => `${PEERS}`), 'engine-peers'])
  })
})
