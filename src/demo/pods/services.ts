// The addresses of services, translated by the node as kube-proxy does: to every pod in turn, whatever its version.

export type Service = {
  readonly name: string;
  readonly address: string;
  readonly address6: string;
  readonly port: number;
  readonly targetPort: number;
  readonly pods: readonly { readonly address: string; readonly address6: string }[];
};

export function renderServices(services: readonly Service[]): string {
  // In turn, where kube-proxy draws lots: a test that calls as often as there are pods has met all of them.
  const translations = services
    .filter(({ pods }) => pods.length > 0)
    .flatMap(({ address, address6, port, targetPort, pods }) => {
      const turn = `numgen inc mod ${pods.length} map`;
      const four = pods.map((pod, index) => `${index} : ${pod.address}`).join(', ');
      const six = pods.map((pod, index) => `${index} : ${pod.address6}`).join(', ');
      return [
        `ip daddr ${address} tcp dport ${port} dnat ip to ${turn} { ${four} } : ${targetPort}`,
        `ip6 daddr ${address6} tcp dport ${port} dnat ip6 to ${turn} { ${six} } : ${targetPort}`,
      ];
    });
  const refusals = services
    .filter(({ pods }) => pods.length === 0)
    .flatMap(({ address, address6, port }) => [
      `ip daddr ${address} tcp dport ${port} reject with tcp reset`,
      `ip6 daddr ${address6} tcp dport ${port} reject with tcp reset`,
    ]);
  // A pod that reaches itself through a service would answer itself past the node.
  const own = [...new Set(services.flatMap(({ pods }) => pods))].flatMap(({ address, address6 }) => [
    `ct status dnat ip saddr ${address} ip daddr ${address} masquerade`,
    `ct status dnat ip6 saddr ${address6} ip6 daddr ${address6} masquerade`,
  ]);
  return `table inet services {
  chain pre {
    type nat hook prerouting priority -100; policy accept;
${translations.map((line) => `    ${line}\n`).join('')}  }
  chain nobody {
    type filter hook prerouting priority 0; policy accept;
${refusals.map((line) => `    ${line}\n`).join('')}  }
  chain post {
    type nat hook postrouting priority 100; policy accept;
${own.map((line) => `    ${line}\n`).join('')}  }
}
`;
}
