/** Written by scripts/generate-wire.ts from the AWS SDK; do not edit. */

/** Structures with members that the SDK marks as sensitive. */
export const SENSITIVE_MEMBERS: readonly string[] = [
  'AccessKey.SecretAccessKey',
  'Credentials.SecretAccessKey',
  'GetPasswordDataResult.PasswordData',
  'KeyPair.KeyMaterial',
  'ModifyInstanceAttributeRequest.Value',
  'RegisterImageRequest.UefiData',
  'RequestLaunchTemplateData.UserData',
  'ResponseLaunchTemplateData.UserData',
  'RunInstancesRequest.UserData',
  'SecureBlobAttributeValue.Value',
  'VirtualMFADevice.Base32StringSeed',
  'VirtualMFADevice.QRCodePNG',
]
