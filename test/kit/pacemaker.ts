/**
 * corosync and Pacemaker on the hosts of a lab, without systemd, configured by the commands that
 * docs/api-address.md shows.
 */
import { readFile } from 'node:fs/promises'
import { resolve } from 'node:path'
import type { LabHost } from '../../tools/lab/host.ts'
import { until } from '../../tools/lab/run.ts'
import { runScript, SHARED_ADDRESS } from './shared-address.ts'

const ROOT = resolve(import.meta.dirname, '../..')
const PAGE = `${ROOT}/docs/api-address.md`
/** Address and commands on the page, and what they are in the lab. */
const IN_THE_LAB = [
  ['10.0.0.100', SHARED_ADDRESS],
  [
    'ocf:atoll:atolld',
    `ocf:atoll:atolld params atoll=${ROOT}/bin/atoll start_command='s6-svc -u /run/service/atolld'`,
  ],
] as const
/** The first election alone takes 20 s. */
const UP_MS = 180_000

function corosyncConf(hosts: readonly LabHost[]): string {
  const nodes = hosts.map(
    ({ name, fabricAddress }, index) =>
      `  node {\n    name: ${name}\n    nodeid: ${index + 1}\n    ring0_addr: ${fabricAddress}\n  }\n`,
  )
  return `totem {
  version: 2
  cluster_name: atoll
  transport: knet
  token: 1000
}
nodelist {
${nodes.join('')}}
quorum {
  provider: corosync_votequorum
}
logging {
  to_logfile: yes
  logfile: /var/log/corosync.log
}
`
}

/** Starts both on a host that was just switched on. */
export async function startPacemaker(host: LabHost, hosts: readonly LabHost[]): Promise<void> {
  await runScript(
    host,
    `[ ! -e /proc/sysrq-trigger ] || mount --bind /dev/null /proc/sysrq-trigger
    mount -t tmpfs tmpfs /dev/shm
    mkdir -p /run/agents /var/lib/corosync /var/log/cluster /var/log/crmsh /etc/corosync
    install -d -o hacluster -g haclient /var/lib/pacemaker /var/log/pacemaker
    install -d -o hacluster -g haclient /var/lib/pacemaker/{cib,pengine,blackbox,cores}
    cp -a /usr/lib/ocf/resource.d/. /run/agents
    mount --bind /run/agents /usr/lib/ocf/resource.d
    ensure_ocf_agent
    cat >/etc/corosync/corosync.conf <<'END'
${corosyncConf(hosts)}END
    setsid corosync -f </dev/null >>/var/log/corosync.out 2>&1 &
    wait_for 30 corosync-cfgtool -s
    setsid pacemakerd </dev/null >>/var/log/pacemakerd.out 2>&1 &`,
  )
}

/** The commands of the page for crmsh. */
async function commandsOfPage(): Promise<string> {
  const page = await readFile(PAGE, 'utf8')
  const found = page.match(/^crm configure <<'END'\n[\s\S]*?^END$/m)?.[0]
  if (found === undefined) throw new Error(`${PAGE} shows no commands for crm configure`)
  return IN_THE_LAB.reduce((text, [here, there]) => text.replaceAll(here, there), found)
}

/** Waits for the cluster of these hosts, and configures it. */
export async function configurePacemaker(hosts: readonly LabHost[]): Promise<void> {
  const [first] = hosts
  if (first === undefined) return
  await until('all hosts are online in Pacemaker', UP_MS, async () => {
    const { stdout } = await first.exec(['crm_mon', '-1', '-b'])
    const online = /Online: \[ (.*) \]/.exec(stdout)?.[1]?.split(' ') ?? []
    return online.length === hosts.length ? true : null
  })
  await first.must(['bash', '-c', await commandsOfPage()], { timeoutMs: UP_MS })
}
