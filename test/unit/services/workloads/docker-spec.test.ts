import { describe, expect, test } from 'vitest'
import { instanceLimits } from '../../../../src/model/limits.ts'
import { guestNetwork, renderContainer } from '../../../../src/services/workloads/docker-spec.ts'
import { instance } from '../../../kit/instance.ts'

const GROUND = {
  hasQuota: false,
  kitDir: '/kit',
  zone: 'atoll.internal',
  limits: instanceLimits(1024, {
    memoryMiB: 4096,
    processes: 8000,
    inotifyInstances: 4096,
    inotifyWatches: 100_000,
  }),
}

describe('container descriptions', () => {
  test.each([
    [{ 'atoll.network': 'dhcp' }, ['/bin/app'], 'dhcp'],
    [{}, ['/sbin/init'], 'init'],
    [{}, ['/lib/systemd/systemd'], 'init'],
    [{}, [], 'init'],
    [{ 'atoll.network': 'other' }, ['/bin/app', '/sbin/init'], 'plain'],
  ] as const)('%j %j is %s', (labels, command, expected) => {
    expect(guestNetwork(labels, command)).toBe(expected)
  })

  test('carry our marks over the image’s own labels, limits of the type, no network and no restarts', () => {
    const want = instance(1)
    const image = {
      id: 'sha256:aa',
      architecture: 'x86_64',
      command: ['/bin/app', '-x'],
      labels: {},
    }
    const spec = renderContainer(want, image, { ...GROUND, hasUserNamespace: true })
    expect(spec).toMatchObject({
      name: `atoll-${want.id}`,
      Image: 'sha256:aa',
      Labels: { 'atoll.instance': want.id, 'atoll.guest': 'plain' },
      Cmd: ['/bin/app', '-x'],
      HostConfig: {
        NetworkMode: 'none',
        Dns: ['172.31.0.1', '169.254.169.253'],
        Memory: 1024 * 1024 * 1024,
        CpuQuota: 200_000,
        CapAdd: [],
        PidsLimit: 1000,
        ShmSize: 512 * 1024 * 1024,
        Ulimits: [
          { Name: 'nofile', Soft: 32_768, Hard: 32_768 },
          { Name: 'core', Soft: 0, Hard: 0 },
        ],
      },
    })
    expect(spec.HostConfig?.RestartPolicy).toBeUndefined()
    expect(spec.HostConfig?.SecurityOpt).toBeUndefined()
  })

  test.each([
    [['/sbin/init'], true, ['SYS_BOOT', 'NET_ADMIN'], 'init'],
    [['/sbin/init'], false, ['SYS_BOOT'], 'plain'],
    [['/bin/app'], false, [], 'plain'],
  ] as const)(
    '%j with a user namespace: %j gets %j and is %s',
    (command, hasUserNamespace, caps, guest) => {
      const image = { id: 'sha256:aa', architecture: 'x86_64', command, labels: {} }
      const spec = renderContainer(instance(1), image, { ...GROUND, hasUserNamespace })
      expect(spec.HostConfig?.CapAdd).toEqual(caps)
      expect(spec.Labels?.['atoll.guest']).toBe(guest)
      if (hasUserNamespace) return
      expect(spec.HostConfig?.SecurityOpt).toEqual(['no-new-privileges'])
      expect(spec.HostConfig?.CapDrop).toContain('MKNOD')
    },
  )
})
