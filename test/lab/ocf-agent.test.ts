/**
 * The resource agent for Pacemaker (scripts/ocf/atolld) passes Debian's ocf-tester, with and
 * without `keep_running`, and the cases of ocf-agent.ocft by ocft. The API is a stand-in, so that
 * it can die and hang at any moment. In a network and file system of the test's own.
 */
import { execFileSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { resolve } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createNetns, type Netns } from '../../tools/kit/netns.ts'

const ROOT = resolve(import.meta.dirname, '../..')
const TIMEOUT_MS = 300_000
const HOME = '/run/atolld-ocft'
/** Of resource-agents and libxml2-utils. */
const NEEDED = ['/usr/sbin/ocf-tester', '/usr/sbin/ocft', '/usr/bin/xmllint']
const MISSING = NEEDED.filter((program) => !existsSync(program))

const SCRIPT = `
mount --make-rprivate /
mount -t tmpfs tmpfs /run
mkdir -p /run/resource-agents ${HOME} /run/agents /run/configs /run/var
cp -a /usr/lib/ocf/resource.d/. /run/agents
mount --bind /run/agents /usr/lib/ocf/resource.d
install -D ${ROOT}/scripts/ocf/atolld /usr/lib/ocf/resource.d/atoll/atolld
mount --bind /run/configs /usr/share/resource-agents/ocft/configs
cp ${ROOT}/test/lab/ocf-agent.ocft /usr/share/resource-agents/ocft/configs/atolld
mount --bind /run/var /var/lib
ln -s ${ROOT}/bin/atoll ${HOME}/atoll
cat >${HOME}/api.js <<'END'
const { readFileSync } = require('node:fs')
require('node:http').createServer((_, answer) => {
  answer.writeHead(Number(readFileSync('${HOME}/status', 'utf8'))).end()
}).listen(8773, '127.0.0.1')
END
cat >${HOME}/daemon <<'END'
#!/bin/sh
cd ${HOME}
runs() { kill -0 "$(cat pid 2>/dev/null)" 2>/dev/null; }
case $1 in
  start) runs || { setsid ${process.execPath} api.js >/dev/null 2>&1 </dev/null & echo $! >pid; } ;;
  stop) ! runs || kill -9 "$(cat pid)"; rm -f pid ;;
  hang) kill -STOP "$(cat pid)" ;;
  status) runs ;;
esac
END
chmod 755 ${HOME}/daemon
echo 200 >${HOME}/status
for keep in true false; do
  echo "== keep_running=$keep"
  ocf-tester -n test -o keep_running=$keep -o atoll=${HOME}/atoll \\
    -o start_command='${HOME}/daemon start' -o stop_command='${HOME}/daemon stop' \\
    /usr/lib/ocf/resource.d/atoll/atolld 2>&1
  ${HOME}/daemon stop
done
echo "== ocft"
ocft make atolld
ocft test atolld 2>&1
echo "== nobody"
setpriv --reuid 65534 --clear-groups env OCF_ROOT=/usr/lib/ocf /usr/lib/ocf/resource.d/atoll/atolld meta-data |
  xmllint --noout --dtdvalid /usr/share/resource-agents/ra-api-1.dtd - 2>&1 && echo valid
`

const WHY =
  MISSING.length === 0 ? '' : ` (skipped without ${MISSING}: scripts/test long installs it)`

describe.skipIf(MISSING.length > 0)(`the resource agent${WHY}`, () => {
  let netns: Netns
  let said: string

  beforeAll(async () => {
    netns = await createNetns('ocf')
    const argv = ['unshare', '--mount', '--pid', '--fork', '--mount-proc', 'bash', '-c', SCRIPT]
    said = (await netns.run(argv, { timeoutMs: TIMEOUT_MS })).stdout
  }, TIMEOUT_MS)
  afterAll(() => netns.destroy())

  const part = (name: string) => said.split('== ').find((one) => one.startsWith(`${name}\n`)) ?? ''

  it.each(['true', 'false'])('ocf-tester finds nothing with keep_running=%s', (keep) => {
    expect(part(`keep_running=${keep}`)).toContain('atolld passed all tests')
  })

  it('every case of ocf-agent.ocft is as it says', () => {
    const cases = execFileSync('grep', ['-c', '^CASE "', `${ROOT}/test/lab/ocf-agent.ocft`])
    expect(part('ocft').match(/ - .*OK/g), said).toHaveLength(Number(cases))
    expect(part('ocft')).not.toContain('ERROR')
  })

  it('says what it takes to everybody, in the form that its DTD asks for', () => {
    expect(part('nobody')).toContain('valid')
  })
})
