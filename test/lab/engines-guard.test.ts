/**
 * Copies of the host's certificate for the engines: however many make them at once, each file ends
 * with its owner and mode, and one that has others is made again. The units of both engines and a
 * watching program run it at the start of a host, and two of them once moved each other's
 * unfinished file into place: MariaDB could not read it, and nobody made it again.
 */
import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'

const GUARD = join(import.meta.dirname, '../../scripts/engines-guard')
const AT_ONCE = 6
const ROUNDS = 8
/** An own /etc/atoll and own directories of the engines, with a certificate to copy. */
const PREPARE = `
set -eu
guard=$1
for directory in /etc/atoll /etc/mysql /etc/rabbitmq; do mkdir -p "$directory"; mount -t tmpfs tmpfs "$directory"; done
mkdir /etc/atoll/tls
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

  it('are made again when their user may not read them, or others may', () => {
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
