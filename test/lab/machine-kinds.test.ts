/**
 * What the location of an image may ask for, on one real host: another machine type, other
 * firmware, a seed volume, files from the web; and images that are refused. The guest is the tiny
 * one.
 */
import { execFile } from 'node:child_process'
import { copyFile, mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { DescribeImagesCommand } from '@aws-sdk/client-ec2'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Cloud, createCloud } from '../../tools/kit/cloud.ts'
import { type InstanceCalls, instanceCalls } from '../../tools/kit/instance-calls.ts'
import { eventually } from '../../tools/kit/netns.ts'
import { canRunMachines, placeTinyGuest } from '../../tools/kit/tiny-guest.ts'
import { type FileServer, serveFile, startFileServer } from '../kit/file-server.ts'
import { insideMachine } from '../kit/machines.ts'

/** An emulated guest with its firmware on a busy machine. */
const DEADLINE_MS = 120_000
const must = promisify(execFile)

describe.skipIf(!canRunMachines())('an image of a virtual machine', () => {
  let cloud: Cloud
  let ask: InstanceCalls
  let web: FileServer
  let dir: string
  const launched = new Map<string, string>()

  /** A FAT volume from which UEFI's own shell starts the kernel. */
  async function makeUefiDisk(disk: string): Promise<void> {
    const script = join(cloud.dir, 'startup.nsh')
    await writeFile(script, 'fs0:\\vmlinuz.efi initrd=\\initrd.img console=ttyS0 panic=10\r\n')
    await must('mformat', ['-C', '-F', '-i', disk, '-T', '131072', '::'])
    await must('mcopy', ['-i', disk, join(dir, 'vmlinuz'), '::/vmlinuz.efi'])
    await must('mcopy', ['-i', disk, join(dir, 'initrd.img'), script, '::/'])
  }

  async function launch(name: string, location: string): Promise<void> {
    const [id = ''] = await ask.launch(await ask.register(name, location))
    launched.set(name, id)
  }

  /** What the guest prints when it does this, once it runs. */
  async function inside(name: string, command: string): Promise<string> {
    const id = launched.get(name) ?? ''
    await ask.untilState(id, 'running')
    return insideMachine(cloud, id, command)
  }

  async function untilItAnswers(name: string): Promise<void> {
    await ask.untilItAnswers(launched.get(name) ?? '')
  }

  /** Why it is unavailable. */
  async function failureOf(name: string, location: string): Promise<string> {
    const asked = new DescribeImagesCommand({ ImageIds: [await ask.register(name, location)] })
    let reason = ''
    const hasFailed = async () => {
      const { Images: [image] = [] } = await cloud.ec2.send(asked)
      reason = image?.StateReason?.Message ?? ''
      return image?.State === 'failed'
    }
    await eventually(`${name} fails`, hasFailed, DEADLINE_MS)
    return reason
  }

  beforeAll(async () => {
    cloud = await createCloud('kinds', 'qemu: {accel: tcg, stopSeconds: 1}\n', ['127.0.0.1'])
    ask = instanceCalls(cloud.ec2, DEADLINE_MS)
    dir = join(cloud.dir, 'state/images')
    const { kernelPath, initrdPath, location } = await placeTinyGuest(dir)
    const files = new Map([
      ['/vmlinuz', await readFile(kernelPath)],
      ['/initrd.img', await readFile(initrdPath)],
    ])
    web = await startFileServer((request, response) => {
      const content = files.get(request.url ?? '') ?? Buffer.alloc(0)
      serveFile(request, response, { content, tag: `"${content.length}"` })
    })
    await launch('microvm', `${location}#machine=microvm`)
    await launch('seed', `${location}#seed=nocloud`)
    await makeUefiDisk(join(dir, 'uefi.img'))
    await launch('uefi', `file://${dir}/uefi.img#firmware=uefi`)
    const at = new URL(web.url).origin
    await launch('web', `kernel=${at}/vmlinuz,initrd=${at}/initrd.img`)
  }, DEADLINE_MS)
  afterAll(async () => {
    await web?.[Symbol.asyncDispose]()
    await cloud?.destroy()
  })

  it('may ask for a microvm, which has no PCI', { timeout: 2 * DEADLINE_MS }, async () => {
    await untilItAnswers('microvm')
    expect(await inside('microvm', 'echo PCI: $(ls /sys/bus/pci/devices)')).toMatch(/PCI:\r?\n/)
    expect(await inside('microvm', 'ls /sys/bus/virtio/drivers/virtio_net')).toContain('virtio')
  })

  it('may come from the web', { timeout: 2 * DEADLINE_MS }, async () => {
    await untilItAnswers('web')
    expect(web.ranges).toEqual([null, null])
  })

  it('may ask for a seed volume', { timeout: 2 * DEADLINE_MS }, async () => {
    const read = 'mount -t iso9660 /dev/vdb /mnt && cat /mnt/meta-data'
    expect(await inside('seed', read)).toContain(`"instance-id":"${launched.get('seed')}"`)
  })

  it('may be one that UEFI boots', { timeout: 2 * DEADLINE_MS }, async () => {
    await untilItAnswers('uefi')
    expect(await inside('uefi', 'ls /sys/firmware')).toContain('efi')
  })

  it('is refused by its name when it leads to other files of the host', async () => {
    const disk = join(dir, 'backed.qcow2')
    const backing = ['-u', '-b', '/etc/shadow', '-F', 'raw', disk, '1M']
    await must('qemu-img', ['create', '-q', '-f', 'qcow2', ...backing])
    expect(await failureOf('backed', `file://${disk}`)).toMatch(/names a backing file/)
    await mkdir(join(cloud.dir, 'elsewhere'))
    await copyFile(join(dir, 'uefi.img'), join(cloud.dir, 'elsewhere/disk.img'))
    expect(await failureOf('elsewhere', `file://${cloud.dir}/elsewhere/disk.img`)).toMatch(
      /is not a published image/,
    )
  })

  it('is refused when its content is not what was promised', async () => {
    const promised = `file://${dir}/uefi.img#sha256=${'0'.repeat(64)}`
    expect(await failureOf('other', promised)).toMatch(/does not have the required content/)
  })
})
