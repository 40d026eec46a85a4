/**
 * A container image with an SSH server, made of programs of the machine: busybox, Dropbear and scp
 * with their libraries.
 */
import { execFile } from 'node:child_process'
import { chmod, copyFile, mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'

const run = promisify(execFile)

export const SSH_IMAGE = 'atoll-ssh:latest'

/** Debian packages: dropbear-bin, openssh-client, busybox-static. */
const PROGRAMS = ['/usr/sbin/dropbear', '/usr/bin/dropbearkey', '/usr/bin/scp']
const APPLETS = ['sh', 'cat', 'echo', 'chmod', 'rm', 'mkdir', 'ls', 'id', 'sleep', 'test', 'env']
const SCRIPT = `#!/bin/sh
exec /usr/sbin/dropbear -R -F -E -s
`

/** Makes it in this engine. */
export async function makeSshImage(socketPath: string): Promise<void> {
  const root = await mkdtemp(join(tmpdir(), 'atoll-ssh-'))
  try {
    await chmod(root, 0o755)
    for (const one of [
      'bin',
      'usr/bin',
      'dev',
      'proc',
      'sys',
      'root',
      'tmp',
      'run',
      'etc/dropbear',
    ])
      await mkdir(join(root, one), { recursive: true })
    await chmod(join(root, 'tmp'), 0o1777)
    await chmod(join(root, 'root'), 0o700)
    await copyFile('/bin/busybox', join(root, 'bin/busybox'))
    for (const applet of APPLETS) await symlink('busybox', join(root, 'bin', applet))
    for (const program of PROGRAMS) await copyWithLibraries(program, root)
    await writeFile(join(root, 'etc/passwd'), 'root:x:0:0:root:/root:/bin/sh\n')
    await writeFile(join(root, 'etc/group'), 'root:x:0:\n')
    await writeFile(join(root, 'etc/shells'), '/bin/sh\n')
    await writeFile(join(root, 'bin/start'), SCRIPT, { mode: 0o755 })
    const pack = 'tar -C "$0" --owner=0 --group=0 --numeric-owner -c . | docker import "$@"'
    const settings = ['--change', 'CMD ["/bin/start"]', '-', SSH_IMAGE]
    const env = { ...process.env, DOCKER_HOST: `unix://${socketPath}` }
    await run('sh', ['-c', pack, root, ...settings], { env })
  } finally {
    await rm(root, { recursive: true, force: true })
  }
}

/** Copies a program and what ldd(1) says that it loads. */
async function copyWithLibraries(program: string, root: string): Promise<void> {
  const { stdout } = await run('ldd', [program])
  const libraries = [...stdout.matchAll(/(?:=> )?(\/\S+) \(0x/g)].map(([, path = '']) => path)
  for (const path of [program, ...libraries]) {
    await mkdir(join(root, dirname(path)), { recursive: true })
    await copyFile(path, join(root, path))
  }
}
