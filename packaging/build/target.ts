/** One row for each processor that packages are made for. */
export const targets = {
  amd64: {
    rpm: 'x86_64',
    uname: 'x86_64',
    node: 'x64',
    triplet: 'x86_64-linux-gnu',
    machine: 'Advanced Micro Devices X86-64',
  },
  arm64: {
    rpm: 'aarch64',
    uname: 'aarch64',
    node: 'arm64',
    triplet: 'aarch64-linux-gnu',
    machine: 'AArch64',
  },
} as const

export type Architecture = keyof typeof targets
export type Target = (typeof targets)[Architecture]
export const architectures = Object.keys(targets) as readonly Architecture[]
