/**
 * What `scripts/install` writes for docker.service where there are proxies
 * (`scripts/lib-proxy.sh`), in files of the test's own. `install.test.ts` tests that an engine and
 * atolld use them, and that they are removed.
 */
import { resolve } from 'node:path'
import { beforeAll, expect, it } from 'vitest'
import { borrowMachine } from '../kit/borrowed.ts'

const ROOT = resolve(import.meta.dirname, '../..')
const TIMEOUT_MS = 120_000
const FILES = '/etc/atoll/proxy.env /etc/systemd/system/docker.service.d/atoll-proxy.conf'

const SCRIPT = `
export ROOT=${ROOT} CONFIG=/etc/atoll/atoll.yaml RUN=/run/atoll LOG=/mnt/log/install STATE=/var/lib/atoll DOCKER_SOCKET=/nowhere
unset HTTP_PROXY HTTPS_PROXY NO_PROXY http_proxy https_proxy no_proxy
mkdir -p /etc/atoll
# As an installation does, which may be told of a proxy or not.
install() { env "$@" bash -euc '. $ROOT/scripts/lib.sh; . $ROOT/scripts/lib-proxy.sh; take_up_proxies; ensure_proxies $ROOT'; }
show() { stat -c '%a %n' ${FILES} 2>&1; cat ${FILES} 2>/dev/null; }
echo "== none"
install A=; show
echo "== environment"
install https_proxy='http://me:a$d@p:1' NO_PROXY='mine.example,"\`\\odd'; show
bash -c '. /etc/atoll/proxy.env; echo "read $NO_PROXY"'
echo "== wrong"
install HTTPS_PROXY='http://p:port' 2>&1 || echo "exit $?"
echo "== next"
# As after atoll env.
install NO_PROXY=127.0.0.1 no_proxy=127.0.0.1; show
echo "== setting"
echo 'images: {proxy: "http://set:3128"}' >$CONFIG
install A=; show
echo "== elsewhere"
echo 'images: {proxy: environment}' >$CONFIG
install A=; show
echo "== refused"
echo 'images: {proxy: none}' >$CONFIG
install HTTPS_PROXY=http://p:1; show
echo "== operator"
rm $CONFIG
engine() { ${process.execPath} -e "require('node:http').createServer((q, a) => a.end(JSON.stringify({HttpProxy: 'http://own:1', HttpsProxy: ''}))).listen('/mnt/engine')" & }
engine; until [ -S /mnt/engine ]; do sleep 0.05; done
install HTTPS_PROXY=http://p:1 DOCKER_SOCKET=/mnt/engine; show
kill %1; rm /mnt/engine $CONFIG 2>/dev/null
bash -euc '. $ROOT/scripts/lib-proxy.sh; remove_proxies'; rmdir /etc/atoll; rm -rf /mnt/log/*
`

let machine: Awaited<ReturnType<typeof borrowMachine>>
const part = (name: string) => machine.part(name)
const SECRET = 'HTTPS_PROXY="http://me:a\\$d@p:1"'

beforeAll(async () => {
  machine = await borrowMachine(SCRIPT, TIMEOUT_MS)
}, TIMEOUT_MS)

it('nothing where there is no proxy', () => {
  expect(part('none'), machine.ran.stderr).not.toMatch(/^[64]/m)
})

it("the environment's, in a file that only root reads, for docker.service as well", () => {
  expect(part('environment'), machine.ran.stderr).toContain('600 /etc/atoll/proxy.env')
  expect(part('environment')).toContain('644 /etc/systemd/system/docker.service.d/atoll-proxy.conf')
  expect(part('environment')).toContain('EnvironmentFile=-/etc/atoll/proxy.env')
  expect(part('environment')).toContain(SECRET)
  expect(part('environment')).toContain('NO_PROXY="mine.example,\\"\\`\\\\odd"')
})

it('which shells and systemd read alike', () => {
  expect(part('environment')).toContain('read mine.example,"`\\odd')
})

it('refuses a value that is no URL, and names its variable', () => {
  expect(part('wrong')).toMatch(/HTTPS_PROXY is no URL.*exit 1/s)
})

it('the same at an upgrade by a shell that has none', () => {
  const written = part('environment').replace(/^(?: {4}|read ).*\n/gm, '')
  expect(written).toContain(SECRET)
  expect(part('next')).toBe(written)
})

it('that of images.proxy, for as long as it is set', () => {
  expect(part('setting')).toContain('HTTPS_PROXY="http://set:3128"')
  expect(part('elsewhere')).not.toContain('PROXY=')
})

it('none with images.proxy: none', () => {
  expect(part('refused')).not.toContain('PROXY=')
})

it('an engine with proxies of its operator keeps them', () => {
  expect(part('operator')).toContain('600 /etc/atoll/proxy.env')
  expect(part('operator')).not.toContain('EnvironmentFile')
})

it('leaves nothing', () => expect(machine.left()).toBe(''))
