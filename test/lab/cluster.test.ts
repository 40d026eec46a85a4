/**
 * The lab itself: three whole hosts with their engines. One loses its power and its fabric, all
 * lose their power at once, and nothing is left on the machine afterwards. What instances notice is
 * tested by the drills.
 */

import { existsSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { get } from '../../tools/kit/https.ts'
import { galeraState, rabbitNodes } from '../../tools/lab/engines.ts'
import type { LabHost } from '../../tools/lab/host.ts'
import { createLab, destroyLab, type Lab, openLab } from '../../tools/lab/lab.ts'
import { OUTSIDE_SERVER } from '../../tools/lab/layout.ts'
import { untilReady } from '../../tools/lab/ready.ts'
import { must, until } from '../../tools/lab/run.ts'
import { labStatus } from '../../tools/lab/status.ts'

const NAME = 'test'
const UP_MS = 400_000
/** Far more than the engines take, on a machine that others use too. */
const PATIENCE_MS = 150_000
let lab: Lab

beforeAll(async () => {
  await destroyLab(NAME)
  lab = await createLab({ name: NAME })
  await untilReady(lab)
}, UP_MS)
afterAll(async () => {
  await destroyLab(NAME)
}, 30_000)

/** Hosts that the engines of this one see, by both engines. */
async function seenBy(host: LabHost): Promise<readonly [number, number]> {
  const galera = await galeraState(host)
  return [galera?.primary === true ? galera.size : 0, (await rabbitNodes(host))?.length ?? 0]
}

async function untilSeen(host: LabHost, size: number): Promise<void> {
  try {
    await until(`${host.name} sees ${size}`, PATIENCE_MS, async () =>
      (await seenBy(host)).every((seen) => seen === size) ? true : null,
    )
  } catch (cause) {
    throw new Error(`the lab is: ${JSON.stringify(await labStatus(lab))}`, { cause })
  }
}

describe('a lab of three', { timeout: UP_MS }, () => {
  it('has three hosts with engines in one cluster and a healthy daemon', async () => {
    const names = ['h1', 'h2', 'h3']
    expect(await labStatus(lab)).toEqual(
      names.map((name) =>
        expect.objectContaining({
          host: name,
          state: 'up',
          galera: { size: 3, primary: true, state: 'Synced' },
          rabbitmq: names,
          atolld: expect.objectContaining({ healthy: true, problems: [] }),
        }),
      ),
    )
  })

  it('keeps each host to itself and joins them by the fabric', async () => {
    for (const host of lab.hosts) {
      expect((await host.must(['hostname'])).trim()).toBe(host.name)
      const others = lab.hosts.filter((one) => one !== host)
      for (const { name } of others) await host.must(['ping', '-c', '1', '-W', '2', name])
      const first = await host.must(['sh', '-c', 'ls /proc | grep -c "^[0-9]"; cat /proc/1/comm'])
      expect(first).toMatch(/^\d{1,2}\ns6-svscan\n$/)
      const page = await host.must(['curl', '-sf', `http://${OUTSIDE_SERVER}/cgi-bin/whoami`])
      expect(`https://${page.trim()}:8773`).toBe(host.endpoint)
    }
    expect((await lab.host('h1').must(['dig', '+short', 'a.outside.test'])).trim()).toBe(
      OUTSIDE_SERVER,
    )
    const echo = ['socat', '-t', '2', '-', `UDP4:${OUTSIDE_SERVER}:7`]
    expect(await lab.host('h2').must(echo, { stdin: 'hello' })).toBe('hello')
  })

  it('has the very same sample image on all hosts', async () => {
    const inspect = ['docker', 'image', 'inspect', '--format', '{{.Id}}', 'atoll-sample:latest']
    const ids = await Promise.all(lab.hosts.map((host) => host.must(inspect)))
    expect(new Set(ids).size).toBe(1)
  })

  it('answers the API of every host to a client outside', async () => {
    const leave = lab.outside.enter()
    try {
      for (const host of lab.hosts) {
        const { statusCode } = await get(host.endpoint, await host.authority())
        expect(statusCode).toBe(403)
      }
    } finally {
      leave()
    }
  })

  it('starts again what dies, and not what was stopped', async () => {
    const mariadb = lab.host('h2').service('mariadb')
    const before = await mariadb.pid()
    await mariadb.crash()
    await until('another process', PATIENCE_MS, async () => {
      const pid = await mariadb.pid()
      return pid !== null && pid !== before ? pid : null
    })
    await untilSeen(lab.host('h1'), 3)
    await mariadb.kill()
    await until('it is left out', PATIENCE_MS, async () =>
      (await galeraState(lab.host('h1')))?.size === 2 ? true : null,
    )
    expect(await mariadb.pid()).toBeNull()
    await mariadb.start()
    await untilReady(lab, { timeoutMs: PATIENCE_MS })
  })

  it('takes everything of a host with its power, but not its disk', async () => {
    const host = lab.host('h3')
    await host.must(['sh', '-c', 'echo kept >/var/lib/atoll/mark && echo lost >/run/mark'])
    const listen = 'socat TCP4-LISTEN:9999 EXEC:"sleep infinity" >/dev/null 2>&1 &'
    await host.must(['sh', '-c', listen])
    const peer = lab.host('h1')
    await peer.must(['sh', '-c', 'socat TCP4:h3:9999,retry=50,interval=0.1 PIPE >/dev/null 2>&1 &'])
    const connections = () =>
      peer.must(['ss', '-Htn', 'state', 'established', 'dport', '=', ':9999'])
    await until('h1 is connected', PATIENCE_MS, async () =>
      (await connections()) === '' ? null : 1,
    )
    await host.kill()
    expect(await host.isOn()).toBe(false)
    expect((await host.exec(['true'])).exitCode).toBeNull()
    await untilSeen(lab.host('h1'), 2)
    // Nobody told it that the other end is gone.
    expect(await connections()).not.toBe('')
    expect((await labStatus(lab)).map(({ state }) => state)).toEqual(['up', 'up', 'down'])
    await host.start()
    expect(await host.must(['cat', '/var/lib/atoll/mark'])).toBe('kept\n')
    expect((await host.exec(['cat', '/run/mark'])).exitCode).toBe(1)
    await untilReady(lab, { timeoutMs: PATIENCE_MS })
  })

  it('parts a host from the fabric only, over a reboot too, and joins it again', async () => {
    const host = lab.host('h3')
    const reaches = async (address: string) =>
      (await host.exec(['ping', '-c', '1', '-W', '1', address])).exitCode === 0
    await host.cut()
    expect(await reaches('h1')).toBe(false)
    expect(await reaches(OUTSIDE_SERVER)).toBe(true)
    await untilSeen(lab.host('h1'), 2)
    expect((await galeraState(host))?.primary).toBe(false)
    await host.kill()
    await host.start()
    expect(await reaches('h1')).toBe(false)
    expect((await labStatus(lab)).map(({ state }) => state)).toEqual(['up', 'up', 'cut'])
    await host.heal()
    await untilReady(lab, { timeoutMs: PATIENCE_MS })
    expect(await reaches('h1')).toBe(true)
  })

  it('lets two of three write again after all three had lost each other', async () => {
    const [h1, h2, h3] = lab.hosts
    if (h1 === undefined || h2 === undefined || h3 === undefined) throw new Error('three hosts')
    await Promise.all(lab.hosts.map((host) => host.cut()))
    await until('each is alone', PATIENCE_MS, async () => {
      const states = await Promise.all(lab.hosts.map(galeraState))
      return states.every((state) => state?.size === 1 && !state.primary) ? true : null
    })
    // Galera by itself waits for the third.
    await Promise.all([h1.heal(), h2.heal()])
    await untilSeen(h1, 2)
    await untilSeen(h2, 2)
    await h3.heal()
    await untilReady(lab, { timeoutMs: PATIENCE_MS })
  })

  it('brings the engines back by themselves after all hosts lost their power', async () => {
    const [h1, h2, h3] = lab.hosts
    if (h1 === undefined || h2 === undefined || h3 === undefined) throw new Error('three hosts')
    const sql = (host: LabHost, text: string) => host.must(['mariadb', '-N', '-e', text])
    await sql(h1, 'CREATE TABLE atoll.lab_test (n INT PRIMARY KEY)')
    // The last write is one that only two of them have.
    await h2.kill()
    await untilSeen(h1, 2)
    await until('h1 writes', PATIENCE_MS, async () => {
      const argv = ['mariadb', '-e', 'REPLACE INTO atoll.lab_test VALUES (1)']
      return (await h1.exec(argv)).exitCode === 0 ? true : null
    })
    await Promise.all(lab.hosts.map((host) => host.kill()))
    await Promise.all(lab.hosts.map((host) => host.start()))
    await untilReady(await openLab(NAME), { timeoutMs: PATIENCE_MS })
    for (const host of lab.hosts)
      expect(await sql(host, 'SELECT n FROM atoll.lab_test')).toBe('1\n')
    await sql(h1, 'DROP TABLE atoll.lab_test')
  })
})

describe('down', () => {
  it('leaves nothing, whatever it is told by its files, and is harmless when repeated', async () => {
    const { dir, runtimeDir, cgroup } = lab.layout
    // As after a crash of the tool: nobody knows the processes.
    await must(['rm', '-r', runtimeDir])
    await destroyLab(NAME)
    await destroyLab(NAME)
    expect(existsSync(dir) || existsSync(runtimeDir)).toBe(false)
    expect(await must(['ip', 'netns', 'list'])).not.toContain(`atoll-lab-${NAME}-`)
    expect(await readFile('/proc/self/mounts', 'utf8')).not.toContain(`atoll-lab/${NAME}/`)
    const groups = await must(['find', '/sys/fs/cgroup', '-maxdepth', '2', '-path', `*${cgroup}`])
    expect(groups).toBe('')
    const processes = await must(['ps', '-eo', 'args'])
    expect(processes).not.toContain(`/atoll-lab/${NAME}/`)
    expect(processes).not.toContain(`--cgroup-parent=${cgroup}/`)
  }, 30_000)
})
