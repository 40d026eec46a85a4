/**
 * This machine, for a script that installs or removes things: in network and mount namespaces
 * of the script's own, where all directories that it may write to are on a file system that is
 * discarded. The machine itself is not changed.
 */
import { execute } from '../../tools/kit/cloud.ts'
import type { Ran } from '../../tools/kit/netns.ts'

/**
 * Bash: gives this mount namespace an /etc of its own, a copy without anything of Atoll, and a
 * /var/lib where new files are its own. `$own` is an empty directory for both, which is discarded
 * later. The directories of the machine's /var/lib are the machine's.
 */
export const OWN_DIRECTORIES = `
cp -a /etc "$own/etc" && find "$own/etc" -name '*atoll*' -prune -exec rm -rf {} +
mount --bind "$own/etc" /etc
mkdir "$own/lib"
for each in /var/lib/*; do
  case \${each##*/} in atoll*) continue ;; esac
  if [ -d "$each" ]; then mkdir "$own/lib/\${each##*/}"; else : >"$own/lib/\${each##*/}"; fi
  mount --rbind "$each" "$own/lib/\${each##*/}"
done
mount --rbind "$own/lib" /var/lib
`

/** Directories that commands and settings are put into, and empty ones for state. */
const PROLOGUE = `
set -u
ip link set lo up
mount -t tmpfs tmpfs /mnt
own=/mnt
${OWN_DIRECTORIES}
cp -a /usr/local/bin /mnt/bin && rm -f /mnt/bin/atoll* && mount --bind /mnt/bin /usr/local/bin
mkdir /mnt/log /mnt/cache /mnt/opt
mount --bind /mnt/log /var/log
mount --bind /mnt/cache /var/cache
mount --bind /mnt/opt /opt
mkdir /var/lib/atoll /var/lib/atoll-docker
mount -t tmpfs tmpfs /var/lib/atoll
mount -t tmpfs tmpfs /var/lib/atoll-docker
mount -t tmpfs tmpfs /run
ours() { find /mnt -path /mnt/lib -prune -o -path '*atoll*' -print | sort; ls /usr/local/bin; }
before=$(ours)
`

/** What is there now and was not before, under the heading \`left\`. */
const EPILOGUE = `
echo "== left"
ip -o link | grep -v ' lo:'
ip route show table all proto 167
nft list tables
ip netns list
find /var/lib/atoll /var/lib/atoll-docker -mindepth 1
find /run -path '*atoll*'
diff <(echo "$before") <(ours)
echo "== end"
`

/** The result of a script. */
interface Borrowed {
  readonly ran: Ran
  /** What was said between the line `== heading` and the next of its kind. */
  part(heading: string): string
  /** What the script left behind, and whether it ended: empty when all is right. */
  left(): string
}

/**
 * Runs a bash script in the borrowed machine; needs root. `endsAll`: what it has started ends with
 * it.
 */
export async function borrowMachine(
  script: string,
  timeoutMs: number,
  endsAll = false,
): Promise<Borrowed> {
  const processes = endsAll ? ['--pid', '--fork', '--kill-child', '--mount-proc'] : []
  const namespaces = ['--net', '--mount', '--propagation', 'private', ...processes]
  const whole = PROLOGUE + script + EPILOGUE
  const ran = await execute('unshare', [...namespaces, 'bash', '-c', whole], { timeoutMs })
  const part = (heading: string) =>
    (ran.stdout.split(`== ${heading}\n`)[1] ?? '').split(/^== /m)[0] ?? ''
  return {
    ran,
    part,
    left: () => (ran.stdout.includes('== end\n') ? part('left').trim() : 'it did not end'),
  }
}
