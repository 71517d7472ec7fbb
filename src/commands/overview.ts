/** What `hoplab` alone says: the lines that one needs first. */

export const OVERVIEW = `hoplab builds the networks of AWS VPCs and EKS clusters from Linux network namespaces

  npx hoplab list                                   the labs, and the question that each asks
  npx hoplab scenario-4                             build a lab, send its probes; it stays up
  npx hoplab inspect pod/client                     what a thing is; alone: the whole lab
  npx hoplab exec pod/client -- curl example.com    a program inside a thing
  npx hoplab shell node/node-1                      a shell inside a thing
  npx hoplab down                                   take the lab down

all verbs: npx hoplab --help`;
