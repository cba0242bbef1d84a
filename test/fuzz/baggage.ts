import assert from 'node:assert/strict';
import fc from 'fast-check';
import { labelOf, readBaggage, withLabel } from '../../src/propagation/baggage.ts';
import { carriedLabel } from '../../src/propagation/carriers.ts';
import { parseLabel } from '../../src/traffic/label.ts';
import { requestWith } from '../propagation/given.ts';
import { headerValue, label } from './arbitrary.ts';
import type { Target } from './targets.ts';

export const baggageTarget: Target = {
  promise: 'a label survives being written to any baggage, members of others stay, and nothing unsafe comes out',
  weight: 40,
  property: fc.property(fc.option(headerValue, { nil: undefined }), label, (baggage, text) => {
    const wanted = parseLabel(text);
    const written = withLabel(baggage, wanted);
    const without = withLabel(baggage, undefined);
    assert.equal(labelOf(written), wanted);
    assert.deepEqual(readBaggage(without), { state: 'absent' });
    assert.equal(withLabel(written, wanted), written, 'twice is once');
    assert.equal(withLabel(without, undefined), without, 'twice is once');
    for (const one of [written, without]) {
      if (one === undefined) continue;
      assert.ok(one.length > 0 && one.length <= 8192 && one.split(',').length <= 64);
      assert.match(one, /^[\t -~\x80-\xff]*$/);
    }
    const members = (value: string | undefined) => (value ?? '').split(',').map((member) => member.trim());
    const kept = members(without).filter((member) => member !== '');
    const foreign = members(baggage);
    let from = 0;
    for (const member of kept) {
      const at = foreign.indexOf(member, from);
      assert.ok(at >= 0, 'members of others keep their bytes and their order');
      from = at + 1;
    }
    const found = readBaggage(baggage);
    const carried = carriedLabel(requestWith({ baggage }));
    assert.equal(carried.label, found.state === 'label' ? found.label : undefined);
    assert.equal(carried.invalid, found.state === 'invalid');
  }) as Target['property'],
};
