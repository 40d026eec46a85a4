/**
 * What we bring into a container: a static busybox, the entry script, and the instance's own data, read-only at /.atoll.
 *
 * The engine starts a container's first program as soon as its network namespace exists, before a NIC can be in it. So the
 * first program, but for the engine's init where the image brings none, is ours: it waits for the NIC (without a deadline: no NIC, no start, which is how it fails closed), does on the
 * first boot what cloud-init does on a machine, and becomes the image's own command. A later `docker restart` by anyone goes
 * the same way.
 */
import { chmod, constants, copyFile, link, mkdir, open, rename, rm } from 'node:fs/promises'
import { replaceFile } from '../lib/files.ts'
import { below } from '../lib/paths.ts'
import { unavailable } from '../model/errors.ts'
import type { InstanceWant } from '../model/want.ts'
import { renderMetaData } from '../plan/nocloud.ts'
import { UNRUNNABLE_EXIT_CODE } from '../plan/workloads.ts'
import { isStaticElf } from './elf.ts'

/** Where the kit is in a guest. */
export const GUEST_KIT_MOUNT = '/.atoll'

export interface GuestKit {
  /**
   * Writes an instance's kit into `<instanceDir>/kit` and returns that path. `firstBoot`: the guest is to install its key and
   * run its user data. Errors: `unavailable` when there is no static busybox to give.
   */
  prepare(want: InstanceWant, instanceDir: string, firstBoot: boolean): Promise<string>
}

/**
 * The kit whose busybox is a copy of `busyboxPath` under `stateDir`: a package upgrade on the host does not touch guests. The
 * copy is made when the first instance needs it.
 */
export function createGuestKit(options: {
  readonly stateDir: string
  readonly busyboxPath: string
}): GuestKit {
  let copied: Promise<string> | undefined
  function busybox(): Promise<string> {
    copied ??= copyBusybox(options.busyboxPath, below(options.stateDir, 'guest')).catch(
      (error: unknown) => {
        copied = undefined
        throw error
      },
    )
    return copied
  }
  return {
    async prepare(want, instanceDir, firstBoot) {
      const kitDir = below(instanceDir, 'kit')
      // User data is nobody's on the host but root's; the guest reads it through its mount.
      await mkdir(instanceDir, { recursive: true, mode: 0o700 })
      // Daemons of before left it open.
      await chmod(instanceDir, 0o700)
      // The guest's own mount holds on to the directory, so it is filled anew and never replaced.
      await mkdir(kitDir, { recursive: true })
      // The guest's root is nobody here, whatever the daemon's umask.
      await chmod(kitDir, EXECUTABLE)
      const files = renderKit(want, firstBoot)
      await Promise.all([
        placeBusybox(await busybox(), kitDir),
        ...files.map(({ name, content, mode }) => placeFile(below(kitDir, name), content, mode)),
      ])
      return kitDir
    },
  }
}

async function copyBusybox(source: string, dir: string): Promise<string> {
  const busybox = below(dir, 'busybox')
  await assertStatic(source)
  await mkdir(dir, { recursive: true, mode: 0o700 })
  await copyFile(source, `${busybox}.new`, constants.COPYFILE_FICLONE)
  await chmod(`${busybox}.new`, EXECUTABLE)
  await rename(`${busybox}.new`, busybox)
  return busybox
}

interface KitFile {
  readonly name: string
  /** Null: the guest must not have it. */
  readonly content: string | Buffer | null
  readonly mode: number
}

const PLAIN = 0o644
const EXECUTABLE = 0o755

/** The files of an instance's kit, busybox aside. Pure. */
export function renderKit(want: InstanceWant, firstBoot: boolean): readonly KitFile[] {
  const userData = want.userData === null ? null : Buffer.from(want.userData, 'base64')
  const isScript = userData?.subarray(0, 2).toString('latin1') === '#!'
  return [
    { name: 'enter', content: ENTER_SCRIPT, mode: EXECUTABLE },
    { name: 'first-boot', content: firstBoot ? lineOf(want.id) : null, mode: PLAIN },
    { name: 'authorized-keys', content: lineOf(want.publicKey), mode: PLAIN },
    // The mode tells the entry script whether it is one to run.
    { name: 'user-data', content: userData, mode: isScript ? EXECUTABLE : PLAIN },
    { name: 'meta-data', content: renderMetaData(want), mode: PLAIN },
  ]
}

function lineOf(text: string | null): string | null {
  return text === null ? null : `${text.trim()}\n`
}

async function placeFile(path: string, content: string | Buffer | null, mode: number) {
  if (content === null) return rm(path, { force: true })
  await replaceFile(path, content, mode)
}

/** A hard link where the file system allows it: no copy for each instance. */
async function placeBusybox(busybox: string, kitDir: string): Promise<void> {
  const fresh = below(kitDir, 'busybox.new')
  await rm(fresh, { force: true })
  await link(busybox, fresh).catch(() => copyFile(busybox, fresh))
  await chmod(fresh, EXECUTABLE)
  await rename(fresh, below(kitDir, 'busybox'))
}

/** The first bytes of a program hold its ELF header and, in practice, all program headers. */
const ELF_HEAD_BYTES = 4096

async function assertStatic(path: string): Promise<void> {
  const file = await open(path).catch((error: unknown) => {
    throw unavailable(`there is no ${path}; install Debian's package busybox-static`, error)
  })
  try {
    const head = Buffer.alloc(ELF_HEAD_BYTES)
    const { bytesRead } = await file.read(head, 0, head.length, 0)
    if (isStaticElf(head.subarray(0, bytesRead))) return
  } finally {
    await file.close()
  }
  throw unavailable(
    `${path} is not a statically linked program, so it cannot run in guests; install Debian's package busybox-static`,
  )
}

/** On the guest's own disk: the instance whose first boot it has seen. */
const FIRST_BOOT_MARK = '/var/lib/atoll/first-boot'
/** How often, ten times a second, user data looks for a network before it runs without one. */
const NETWORK_TRIES = 600

/**
 * The guest's first program: `busybox sh /.atoll/enter KIND COMMAND…`. KIND is a `GuestNetwork`.
 *
 * It runs as whatever user the image names. The command is looked up in the image's own PATH: busybox's shell would otherwise
 * prefer its built-in programs of the same name.
 */
const ENTER_SCRIPT = `#!/.atoll/busybox sh
# Atoll's entry into a guest; see src/containers/guest-kit.ts.
kit=${GUEST_KIT_MOUNT}
bb=$kit/busybox
mark=${FIRST_BOOT_MARK}
kind=$1
shift
# Where no init is before it, it ignores every signal that it has no handler for.
trap 'exit 143' TERM INT

plugged() {
  while read -r name _; do
    [ "$name" = eth0: ] && return 0
  done </proc/net/dev
  return 1
}

# A default route: the guest's network is up.
routed() {
  while read -r link destination _; do
    [ "$link" = eth0 ] && [ "$destination" = 00000000 ] && return 0
  done </proc/net/route
  return 1
}

ready() {
  if [ "$kind" = dhcp ]; then plugged; else routed; fi
}

install_key() {
  ssh=\${HOME:-/root}/.ssh
  ( umask 077
    $bb mkdir -p "$ssh" && $bb cat "$kit/authorized-keys" >>"$ssh/authorized_keys" )
}

seed_cloud_init() {
  seed=/var/lib/cloud/seed/nocloud
  $bb mkdir -p "$seed"
  $bb cp "$kit/meta-data" "$seed/meta-data"
  if [ -e "$kit/user-data" ]; then
    $bb cp "$kit/user-data" "$seed/user-data"
  else
    : >"$seed/user-data"
  fi
}

# Anyone may restart a container while our mark of its first boot still lies in the kit, so its own disk remembers too. The
# mark is made before the work, as cloud-init's are: what runs once must not run twice.
first_boot_due() {
  [ -e "$kit/first-boot" ] || return 1
  read -r instance <"$kit/first-boot"
  seen=
  [ -e "$mark" ] && read -r seen <"$mark"
  [ "$seen" != "$instance" ] || return 1
  ( $bb mkdir -p "\${mark%/*}" && echo "$instance" >"$mark" ) 2>/dev/null
  return 0
}

# Scripts count on a network, which an image that asks for its address by DHCP has only later. Without one they run all the same.
run_user_data() {
  tries=0
  until routed || [ $tries = ${NETWORK_TRIES} ]; do
    $bb usleep 100000
    tries=$((tries + 1))
  done
  exec "$kit/user-data"
}

first_boot() {
  if [ -x /usr/bin/cloud-init ] || [ -x /usr/local/bin/cloud-init ]; then
    seed_cloud_init
    return
  fi
  [ -e "$kit/authorized-keys" ] && install_key
  [ -x "$kit/user-data" ] && ( run_user_data & )
}

unrunnable() {
  echo "atoll: $1" >&2
  exit ${UNRUNNABLE_EXIT_CODE}
}

resolve() {
  case $1 in
    */*) [ -x "$1" ] && [ ! -d "$1" ] && program=$1; return ;;
  esac
  old_ifs=$IFS
  IFS=:
  for dir in $PATH; do
    if [ -x "$dir/$1" ] && [ ! -d "$dir/$1" ]; then program=$dir/$1; break; fi
  done
  IFS=$old_ifs
}

until ready; do $bb usleep 4000; done

if [ $# = 0 ]; then
  for init in /sbin/init /init /linuxrc; do
    if [ -x "$init" ]; then set -- "$init"; break; fi
  done
  [ $# = 0 ] && unrunnable 'the image names no command and has none of /sbin/init, /init, /linuxrc'
fi
program=
resolve "$1"
[ -n "$program" ] || unrunnable "the image's command does not exist or is not executable: $1"
first_boot_due && first_boot
shift
trap - TERM INT
exec "$program" "$@"
`
