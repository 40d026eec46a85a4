import { describe, expect, test } from 'vitest'
import { guestNetwork, needsInit, renderContainer } from '../../../src/containers/spec.ts'
import { instanceLimits } from '../../../src/model/limits.ts'
import { instance } from '../../../tools/kit/instance.ts'

const SETTINGS = {
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
      stopSignal: null,
    }
    const spec = renderContainer(want, image, { ...SETTINGS, hasUserNamespace: true })
    expect(spec).toMatchObject({
      name: `atoll-${want.id}`,
      Image: 'sha256:aa',
      Labels: { 'atoll.instance': want.id, 'atoll.guest': 'plain' },
      Cmd: ['/bin/app', '-x'],
      Healthcheck: { Test: ['NONE'] },
      HostConfig: {
        NetworkMode: 'none',
        Init: true,
        ExtraHosts: ['ip-172-31-0-1.atoll.internal ip-172-31-0-1:172.31.0.1'],
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
      const image = {
        id: 'sha256:aa',
        architecture: 'x86_64',
        command,
        labels: {},
        stopSignal: null,
      }
      const spec = renderContainer(instance(1), image, { ...SETTINGS, hasUserNamespace })
      expect(spec.HostConfig?.CapAdd).toEqual(caps)
      expect(spec.Labels?.['atoll.guest']).toBe(guest)
      if (hasUserNamespace) return
      expect(spec.HostConfig?.SecurityOpt).toEqual(['no-new-privileges'])
      expect(spec.HostConfig?.CapDrop).toContain('MKNOD')
    },
  )

  test.each([
    [{}, ['/bin/app', '-x'], true],
    [{}, ['docker-entrypoint.sh', 'postgres'], true],
    [{}, ['/bin/sh', '-c', 'exec /srv/app'], true],
    [{}, ['/usr/local/bin/initialise'], true],
    [{}, ['/usr/bin/python3', '/opt/init/run.py'], true],
    [{}, [], false],
    [{}, ['/sbin/init'], false],
    [{}, ['/init'], false],
    [{}, ['/lib/systemd/systemd'], false],
    [{}, ['/usr/local/bin/entrypoint', '/sbin/init'], false],
    [{}, ['/bin/sh', '-c', 'mount -a && exec /sbin/init'], false],
    [{}, ['bash', '-c', 'exec /lib/systemd/systemd --unit=x'], false],
    [{}, ['/usr/bin/tini', '--', '/bin/app'], false],
    [{}, ['dumb-init', '/bin/app'], false],
    [{ 'atoll.init': 'none' }, ['/opt/my-own-init'], false],
  ] as const)('%j %j gets an init: %j', (labels, command, expected) => {
    expect(needsInit(labels, command)).toBe(expected)
  })

  test.each([
    [['/lib/systemd/systemd'], null, 'SIGRTMIN+3'],
    [['/lib/systemd/systemd'], 'SIGPWR', 'SIGPWR'],
    [['/bin/app'], 'SIGINT', 'SIGINT'],
    [['/bin/app'], null, undefined],
  ] as const)('%j whose image says %j is stopped by %j', (command, stopSignal, expected) => {
    const image = { id: 'sha256:aa', architecture: 'x86_64', command, labels: {}, stopSignal }
    const spec = renderContainer(instance(1), image, { ...SETTINGS, hasUserNamespace: true })
    expect(spec.StopSignal).toBe(expected)
  })
})
