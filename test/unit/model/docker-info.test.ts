import { expect, test } from 'vitest'
import { parseDockerInfo } from '../../../src/model/docker-info.ts'

const info = (DockerRootDir: string) => ({
  DockerRootDir,
  Driver: 'overlay2',
  DriverStatus: [['Backing Filesystem', 'xfs']],
  SecurityOptions: ['name=seccomp,profile=default', 'name=userns'],
})

test('project quotas are those of the file system that the path is on', () => {
  const mounts = [
    '/dev/sda1 / ext4 rw,relatime 0 0',
    '/dev/sdb1 /var/lib/docker xfs rw,attr2,prjquota 0 0',
    '/dev/sdc1 /var/lib/dock xfs rw,pquota 0 0',
  ].join('\n')
  const ways = (text: string, path: string) => parseDockerInfo(info(path), text).hasQuota
  expect(ways(mounts, '/var/lib/docker/165536.165536')).toBe(true)
  expect(ways(mounts, '/var/lib/dockers')).toBe(false)
  expect(ways(mounts, '/srv')).toBe(false)
})

test('an engine that maps users says so among its options', () => {
  expect(parseDockerInfo(info('/'), '').hasUserNamespace).toBe(true)
  const plain = { ...info('/'), SecurityOptions: ['name=apparmor', 'name=seccomp,profile=userns'] }
  expect(parseDockerInfo(plain, '').hasUserNamespace).toBe(false)
  expect(parseDockerInfo({ ...plain, SecurityOptions: null }, '').hasUserNamespace).toBe(false)
})
