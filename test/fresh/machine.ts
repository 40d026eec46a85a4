/**
 * A machine on which Atoll has never run, for scripts that install, start and remove things:
 * namespaces of its own for network, mounts and processes, a way out through a network in user
 * space, and none of the machine's caches, settings or temporary directories. The machine itself is
 * not changed.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, lstatSync } from 'node:fs'
import { mkdir, mkdtemp, open, readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { createNetns, type Netns } from '../../tools/kit/netns.ts'
import { must } from '../../tools/lab/run.ts'
import { OWN_DIRECTORIES } from '../kit/borrowed.ts'
import { ROOT } from './documented.ts'

const MAKE_ROOT_MS = 300_000
const REMOVE_TRIES = 10
/** What says how the world is reached, and whom to trust there. */
const KEPT_VARIABLES = /^(?:https?_proxy|no_proxy|npm_config_registry|node_extra_ca_certs)$/i

/** This machine's programs, with copies or empty directories wherever anything may be written. */
const BORROWED = `
# Namespaces and file systems of other engines would live on here.
findmnt -rno TARGET -t nsfs,overlay | grep -E '^/(run|tmp|var)/' | tac | xargs -r umount -l 2>/dev/null || true
cp -a /usr/local/bin $work/bin && mount --bind $work/bin /usr/local/bin
own=$work
${OWN_DIRECTORIES}
mount --bind $work/home /root
# The last of them has all of these below it.
for empty in /opt /var/log /var/cache /var/lib/apt/lists /var/lib/atoll-lab /tmp /var/tmp; do
  mkdir -p $empty $work/empty$empty && mount --bind $work/empty$empty $empty
done
# What a script installs now was forgotten in scripts/test, and would be half here and half there.
mount --bind /var/lib/dpkg /var/lib/dpkg && mount -o remount,bind,ro /var/lib/dpkg
mkdir /var/lib/atoll /var/lib/atoll-docker
for empty in /var/lib/atoll /var/lib/atoll-docker /run; do mount -t tmpfs tmpfs $empty; done
`

/** A file system of Debian's essential packages. */
const BARE = `
bare=$work/bare
mount --rbind /dev $bare/dev
mount --rbind /sys $bare/sys
mount -t proc proc $bare/proc
mkdir -p $bare/var/lib/atoll-docker
for empty in /run /var/lib/atoll-docker; do mount -t tmpfs tmpfs $bare$empty; done
# No service manager is there to start what is installed.
printf '#!/bin/sh\\nexit 101\\n' >$bare/usr/sbin/policy-rc.d && chmod +x $bare/usr/sbin/policy-rc.d
mount --bind $work/home $bare/root
`

/**
 * Common to both, and run inside: \`left\` shows what there is of Atoll, and which processes there
 * are.
 */
const INSIDE = `
set -u
chmod 1777 /tmp /var/tmp
# slirp4netns is a name server, which asks the machine's own.
rm -f /etc/resolv.conf && echo 'nameserver 10.0.2.3' >/etc/resolv.conf
everything() {
  ip -o link | grep -vE ': (lo|tap0):'
  ip route show table all proto 167
  nft list tables
  ip netns list
  find /var/lib/atoll /var/lib/atoll-docker -mindepth 1 2>/dev/null
  find /run /etc /usr/local/bin /var/log /tmp -path '*atoll*' 2>/dev/null
  ps -e -o args= | grep -E 'atoll|dockerd|containerd|mariadbd|beam|qemu|s6-'
}
# Not what is made of packages once and stays for the next time, nor the image that is being made beside.
left() { everything | grep -vE '^grep |/tmp/atoll-make-tiny-guest-|atoll-image|make-image|^/var/log/atoll$'; true; }
cd /root/atoll
`

/** The result of a script. */
export interface Outcome {
  readonly exitCode: number
  /** What it said, on both streams. */
  readonly said: string
}

/**
 * Runs a bash script as root on such a machine, from a fresh clone of this tree; \`left\` is a
 * function there. \`bare\`: on Debian's essential packages, without any that this machine has.
 * Throws when the machine cannot be made.
 */
export async function onFreshMachine(
  script: string,
  { bare, timeoutMs }: { readonly bare: boolean; readonly timeoutMs: number },
): Promise<Outcome> {
  const work = await mkdtemp('/var/tmp/atoll-fresh-')
  const netns = await createNetns('fresh')
  let way: ChildProcess | undefined
  try {
    await cloneInto(join(work, 'home/atoll'))
    if (bare) {
      const argv = ['mmdebstrap', '--mode=root', '--variant=minbase', 'bookworm', `${work}/bare`]
      await must(argv, { timeoutMs: MAKE_ROOT_MS })
    }
    way = connect(netns)
    return await run(netns, work, { bare, script, timeoutMs })
  } finally {
    way?.kill('SIGKILL')
    await netns.destroy()
    // The last of its processes may still be ending.
    await rm(work, { recursive: true, force: true, maxRetries: REMOVE_TRIES })
  }
}

/** What a clone of this tree would have, and what is not committed yet. */
async function cloneInto(target: string): Promise<void> {
  await mkdir(target, { recursive: true })
  const git = `git -c safe.directory='*' ls-files -z --cached --others --exclude-standard`
  const all = `find . -name node_modules -prune -o '(' -type f -o -type l ')' -print0`
  const list = existsSync(join(ROOT, '.git')) ? git : all
  const there = `while IFS= read -r -d '' name; do [ ! -e "$name" ] || printf '%s\\0' "$name"; done`
  const pack = 'tar -c --null --files-from=- --mode=u=rwX,go=rX --owner=0 --group=0'
  const copy = `set -o pipefail; cd "$0"; ${list} | ${there} | ${pack} | tar -C "$1" -x`
  await must(['bash', '-c', copy, ROOT, target])
}

/** Gives the namespace a way out, for as long as this process runs. */
function connect(netns: Netns): ChildProcess {
  const slirp = ['slirp4netns', '--configure', '--mtu=1500', '--disable-host-loopback']
  const argv = ['--pdeathsig', 'KILL', ...slirp, String(netns.pid), 'tap0']
  return spawn('setpriv', argv, { stdio: 'ignore' })
}

interface Run {
  readonly bare: boolean
  readonly script: string
  readonly timeoutMs: number
}

async function run(netns: Netns, work: string, options: Run): Promise<Outcome> {
  const { bare, script, timeoutMs } = options
  const inside = `${INSIDE}${script}`
  const start = bare
    ? `${BARE} exec chroot $bare bash -c "$inside"`
    : `${BORROWED} exec bash -c "$inside"`
  const ready = `until ip route get 10.0.2.3 >/dev/null 2>&1; do sleep 0.05; done`
  const log = await open(join(work, 'said'), 'w')
  const kept = Object.entries(process.env).filter(([name]) => KEPT_VARIABLES.test(name))
  const path = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'
  const namespaces = ['--mount', '--propagation', 'private', '--pid', '--fork', '--kill-child']
  const child = spawn(
    'nsenter',
    [
      ...['--net', `--target=${netns.pid}`, '--', 'unshare', ...namespaces, '--mount-proc'],
      ...['bash', '-c', `set -eu; ${ready}\n${start}`],
    ],
    {
      stdio: ['ignore', log.fd, log.fd],
      env: { ...Object.fromEntries(kept), PATH: path, HOME: '/root', work, inside },
      timeout: timeoutMs,
      killSignal: 'SIGKILL',
    },
  )
  const [code] = await once(child, 'exit')
  await log.close()
  const said = await readFile(join(work, 'said'), 'utf8')
  return { exitCode: typeof code === 'number' ? code : 255, said }
}

/** Why there can be no such machine here, or null. */
export function whyNoFreshMachine(): string | null {
  if (process.getuid?.() !== 0) return 'not root'
  const tun = lstatSync('/dev/net/tun', { throwIfNoEntry: false })
  return tun === undefined ? 'there is no /dev/net/tun' : null
}
