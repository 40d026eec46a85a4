/**
 * Whose fault it is when a container cannot be created or started. The sentences are those that
 * people report of moby, containerd and runc, and what the engine here says (20.10, runc 1.1).
 */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { dockerError } from '../../../src/containers/errors.ts'
import { isQuick } from '../../kit/stall.ts'

/** The engine gives any of these to any of them, depending on its version. */
const STATUSES = [400, 404, 409, 500, undefined]
const RUNC = 'OCI runtime create failed: runc create failed: unable to start container process: '
const SHIM = `failed to create task for container: failed to create shim task: ${RUNC}`
const INIT = `${RUNC}error during container init: `
const OLD = 'OCI runtime create failed: container_linux.go:380: starting container process caused: '
const VICE_VERSA =
  'Are you trying to mount a directory onto a file (or vice-versa)? Check if the specified host path exists and is the expected type'
const KIT = '/var/lib/atoll/instances/i-0123456789abcdef0/kit'
const BUNDLE = '/run/containerd/io.containerd.runtime.v2.task/moby/c67c69fc940d'

const IMAGE: readonly (readonly [string, string])[] = [
  ['no such user', 'unable to find user no-such-user: no matching entries in passwd file'],
  ['no such user', 'linux spec user: unable to find user dsh: no matching entries in passwd file'],
  ['no such group', 'unable to find group staff2: no matching entries in group file'],
  ['a user that is no number', 'uids and gids must be in range 0-2147483647'],
  ['an unmapped user', `${SHIM}cannot set uid to unmapped user in user namespace: unknown`],
  ['an unmapped group', `${RUNC}cannot set gid to unmapped user in user namespace: unknown`],
  [
    'an unmapped user',
    'OCI runtime create failed: container_linux.go:348: starting container process caused "cannot set uid to unmapped user in user namespace": unknown',
  ],
  ['a working directory that is a file', 'Cannot mkdir: /etc/passwd is not a directory'],
  [
    'a relative working directory',
    "the working directory 'app' is invalid, it needs to be an absolute path",
  ],
  [
    'a working directory that its user may not enter',
    `${INIT}chdir to cwd ("/root") set in config.json failed: permission denied: unknown`,
  ],
  ['no such signal', 'Invalid signal: SIGFOO'],
  ['no such signal', 'invalid signal: SIGFOO'],
  [
    'a file where the kit is mounted',
    `${INIT}error mounting "${KIT}" to rootfs at "/.atoll": mount ${KIT}:/.atoll (via /proc/self/fd/6), flags: 0x5000: not a directory: unknown: ${VICE_VERSA}`,
  ],
  [
    'a directory where a file is mounted',
    `OCI runtime create failed: container_linux.go:345: starting container process caused "process_linux.go:424: container init caused \\"rootfs_linux.go:58: mounting \\\\\\"${KIT}\\\\\\" to rootfs \\\\\\"/var/lib/docker/overlay2/a/merged\\\\\\" at \\\\\\"/.atoll\\\\\\" caused \\\\\\"not a directory\\\\\\"\\"": unknown: ${VICE_VERSA}`,
  ],
  ['a link as /proc', `${INIT}filesystem "proc" must be mounted on ordinary directory: unknown`],
  [
    'a damaged archive',
    'Error processing tar file(exit status 1): archive/tar: invalid tar header',
  ],
  ['an archive that is cut', 'Error processing tar file(exit status 1): unexpected EOF'],
]

const HOST: readonly (readonly [string, string])[] = [
  [
    "the socket of the engine's hook is missing",
    `${INIT}error running hook #0: error running hook: exit status 1, stdout: , stderr: time="2026-11-30T06:00:00Z" level=fatal msg="dial unix /run/docker/libnetwork/4f1e.sock: connect: no such file or directory": unknown`,
  ],
  [
    "the engine's hook is missing",
    `${INIT}error running hook #0: fork/exec /proc/5018/exe: no such file or directory: unknown`,
  ],
  [
    "the engine's hook fails",
    `${OLD}process_linux.go:545: container init caused: Running hook #0:: error running hook: exit status 1, stdout: , stderr: failed to update store for object type *libnetwork.sbState: Key not found in store: unknown`,
  ],
  [
    "another runtime's hook fails",
    `${OLD}process_linux.go:545: container init caused: Running hook #1:: error running hook: exit status 1, stdout: , stderr: nvidia-container-cli: ldcache error: open failed: /sbin/ldconfig.real: no such file or directory: unknown`,
  ],
  [
    'runc is missing',
    `failed to create shim task: OCI runtime create failed: unable to retrieve OCI runtime error (open ${BUNDLE}/log.json: no such file or directory): exec: "runc": executable file not found in $PATH: unknown`,
  ],
  [
    'runc is replaced',
    `OCI runtime create failed: unable to retrieve OCI runtime error (open ${BUNDLE}/log.json: no such file or directory): fork/exec /usr/sbin/runc: no such file or directory: unknown`,
  ],
  [
    'runc is killed',
    `OCI runtime create failed: unable to retrieve OCI runtime error (open ${BUNDLE}/log.json: no such file or directory): runc did not terminate successfully: signal: killed: unknown`,
  ],
  ['runc cannot be called', 'failed to run runc create/exec call: EOF'],
  ['runc has no memory', `${SHIM}container init was OOM-killed (memory limit too low?): unknown`],
  ['runc is killed', `${RUNC}can't get final child's PID from pipe: EOF: unknown`],
  [
    'runc is killed',
    `${OLD}process_linux.go:722: waiting for init preliminary setup caused: read init-p: connection reset by peer: unknown`,
  ],
  ['no process can begin', 'fork/exec /proc/self/exe: resource temporarily unavailable'],
  [
    'the shim is missing',
    'failed to start shim: start failed: exec: "containerd-shim-runc-v2": executable file not found in $PATH: unknown',
  ],
  ['the shim is killed', 'ttrpc: closed: unknown'],
  ['containerd is slow', 'context deadline exceeded: unknown'],
  [
    'containerd is away',
    'connection error: desc = "transport: error while dialing: dial unix /run/containerd/containerd.sock: connect: no such file or directory"',
  ],
  [
    'no control group',
    `${RUNC}unable to apply cgroup configuration: failed to write 81: open /sys/fs/cgroup/pids/docker/c67c/cgroup.procs: no such file or directory: unknown`,
  ],
  [
    'too many control groups',
    `${OLD}process_linux.go:508: applying cgroup configuration for process caused: mkdir /sys/fs/cgroup/memory/docker/c67c: no space left on device: unknown`,
  ],
  [
    'no control groups',
    'OCI runtime create failed: namespace {"cgroup" ""} does not exist: unknown',
  ],
  [
    'a full disk',
    'error creating overlay mount to /var/lib/docker/overlay2/c67c/merged: no space left on device',
  ],
  ['a full disk', 'mkdir /var/lib/docker/containers/c67c: disk quota exceeded'],
  [
    'a disk that fails',
    'open /var/lib/docker/containers/c67c/.tmp-hostconfig.json: read-only file system',
  ],
  ['no terminals', `${RUNC}open /dev/ptmx: no space left on device: unknown`],
  [
    "the container's layer is gone",
    'error creating overlay mount to /var/lib/docker/overlay2/c67c/merged: no such file or directory',
  ],
  [
    'AppArmor',
    `${INIT}unable to apply apparmor profile: apparmor failed to apply profile: write /proc/self/attr/apparmor/exec: no such file or directory: unknown`,
  ],
  [
    'the kit is gone',
    `${RUNC}exec: "/.atoll/busybox": stat /.atoll/busybox: no such file or directory: unknown`,
  ],
  ['the kit may not be run', `${RUNC}exec: "/.atoll/busybox": permission denied: unknown`],
  ['a busybox of another architecture', `${INIT}exec /.atoll/busybox: exec format error: unknown`],
  [
    'the kit is gone',
    `invalid mount config for type "bind": bind source path does not exist: ${KIT}`,
  ],
  [
    'the kit is gone',
    `${INIT}error mounting "${KIT}" to rootfs at "/.atoll": stat ${KIT}: no such file or directory: unknown`,
  ],
  ["the engine's init is missing", 'exec: "docker-init": executable file not found in $PATH'],
  ['no such runtime', 'Unknown runtime specified crun'],
  ['no network', 'network none not found'],
  [
    'the name is taken',
    'Conflict. The container name "/atoll-i-1" is already in use by container "c67c".',
  ],
  ['it is being removed', 'container is marked for removal and cannot be started'],
]

const fail = (message: string, statusCode: number | undefined) =>
  dockerError(
    Object.assign(new Error(`(HTTP code ${statusCode}) oops - ${message} `), {
      statusCode,
      json: { message },
    }),
    'start docker://web:1',
  )

describe.each(STATUSES)('with status %s', (statusCode) => {
  it.each(IMAGE)("the image's: %s: %s", (_what, message) => {
    expect(fail(message, statusCode)).toMatchObject({
      kind: 'refused',
      message: `cannot start docker://web:1: ${message}`,
    })
  })

  it.each(HOST)("the host's: %s: %s", (_what, message) => {
    expect(fail(message, statusCode)).toMatchObject({
      kind: 'unavailable',
      message: `cannot start docker://web:1: ${message}`,
    })
  })
})

it("takes what it does not know for the host's", () => {
  fc.assert(
    fc.property(fc.string(), fc.constantFrom(...STATUSES), (message, statusCode) => {
      expect(fail(message, statusCode).kind).toBe('unavailable')
    }),
  )
})

it('looks at a sentence of any length, and in no time', () => {
  const long = `mounting ${'a to rootfs '.repeat(200_000)}`
  expect(fail(long, 400).kind).toBe('unavailable')
  expect(isQuick(1_000, () => fail(long, 400))).toBe(true)
})
