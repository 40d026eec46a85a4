import { describe, expect, test } from 'vitest'
import { guestNetwork, renderContainer } from '../../../../src/services/workloads/docker-spec.ts'
import { instance } from '../../../kit/instance.ts'

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
    const spec = renderContainer(want, image, '/kit', 'atoll.internal')
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
      },
    })
    expect(spec.HostConfig?.RestartPolicy).toBeUndefined()
  })
})
