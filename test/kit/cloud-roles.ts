/** Roles that tests make through the API, and what instances do with them. */
import type { Cloud } from '../../tools/kit/cloud.ts'
import { execute } from '../../tools/kit/cloud.ts'
import type { Ran } from '../../tools/kit/netns.ts'

const TRUST = {
  Statement: {
    ...{ Effect: 'Allow', Principal: { Service: 'ec2.amazonaws.com' }, Action: 'sts:AssumeRole' },
  },
}

/** A role and an instance profile of the same name. */
export interface CloudRole {
  giveTo(instance: string): Promise<void>
  takeFrom(instance: string): Promise<void>
  /** Calls with the credentials that the metadata of an instance showed. */
  keys(document: string): Promise<{ aws(...argv: readonly string[]): Promise<Ran> }>
}

/** The role may do this to everything. */
export async function makeRole(cloud: Cloud, name: string, action: string): Promise<CloudRole> {
  const must = async (...argv: readonly string[]): Promise<string> => {
    const { exitCode, stdout, stderr } = await cloud.aws('--output', 'json', ...argv)
    if (exitCode !== 0) throw new Error(stderr)
    return stdout
  }
  const policy = { Statement: { Effect: 'Allow', Action: action, Resource: '*' } }
  const ofRole = ['--role-name', name]
  const ofProfile = ['--instance-profile-name', name]
  const trust = ['--assume-role-policy-document', JSON.stringify(TRUST)]
  await must('iam', 'create-role', ...ofRole, ...trust)
  const document = ['--policy-name', 'p', '--policy-document', JSON.stringify(policy)]
  await must('iam', 'put-role-policy', ...ofRole, ...document)
  await must('iam', 'create-instance-profile', ...ofProfile)
  await must('iam', 'add-role-to-instance-profile', ...ofProfile, ...ofRole)
  return {
    async giveTo(instance) {
      const profile = ['--iam-instance-profile', `Name=${name}`]
      await must('ec2', 'associate-iam-instance-profile', '--instance-id', instance, ...profile)
    },
    async takeFrom(instance) {
      const filter = ['--filters', `Name=instance-id,Values=${instance}`]
      const told = await must('ec2', 'describe-iam-instance-profile-associations', ...filter)
      const [association] = JSON.parse(told).IamInstanceProfileAssociations
      const id = ['--association-id', association.AssociationId]
      await must('ec2', 'disassociate-iam-instance-profile', ...id)
    },
    async keys(text) {
      const { AccessKeyId, SecretAccessKey, Token } = JSON.parse(text)
      const { endpoint, region } = cloud.credentials
      const env = {
        ...process.env,
        ...{ AWS_ACCESS_KEY_ID: AccessKeyId, AWS_SECRET_ACCESS_KEY: SecretAccessKey },
        ...{ AWS_SESSION_TOKEN: Token, AWS_DEFAULT_REGION: region },
        AWS_CA_BUNDLE: `${cloud.dir}/tls/ca.crt`,
      }
      return {
        aws: (...argv) =>
          execute('/usr/bin/aws', ['--endpoint-url', endpoint, '--output', 'json', ...argv], {
            env,
          }),
      }
    },
  }
}
