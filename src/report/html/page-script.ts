/// <reference lib="dom" />
/// <reference lib="dom.iterable" />

/** Rows that are laid out at once; more make a page slow, and are a click away. */
const mostRows = 200;

/** The page's script, as text: what is checked here is what runs there. Everything can be read without it. */
export const pageScript = `'use strict';(${String(enhancePage)})(${mostRows});`;

/** Sorting, filters, tips of marks, where the reader is among the contents, and all data open in print. Nothing outside it is in reach. */
function enhancePage(most: number): void {
  const collator = new Intl.Collator('en', { numeric: true });

  function keyOf(cell: HTMLTableCellElement): number | undefined {
    const value = cell.dataset['v'];
    return value === undefined ? undefined : Number(value);
  }

  function sortBy(table: HTMLTableElement, index: number, way: number): void {
    const body = table.tBodies[0]!;
    const rows = [...body.rows].map((row) => ({ row, key: keyOf(row.cells[index]!), text: row.cells[index]!.textContent }));
    rows.sort((a, b) => {
      if (a.key !== undefined && b.key !== undefined) return way * (a.key - b.key);
      if (a.key !== undefined || b.key !== undefined) return a.key === undefined ? 1 : -1;
      return way * collator.compare(a.text, b.text);
    });
    body.append(...rows.map(({ row }) => row));
  }

  function prepare(box: Element): void {
    const table = box.querySelector('table')!;
    const filter = box.querySelector<HTMLElement>('.filter');
    let words: string[] = [];
    let all = false;
    const more = document.createElement('button');
    more.type = 'button';
    more.className = 'more';
    const show = () => {
      const rows = [...table.tBodies[0]!.rows];
      let matching = 0;
      for (const row of rows) {
        const text = words.length === 0 ? '' : row.textContent.toLowerCase();
        const matches = words.every((word) => text.includes(word));
        if (matches) matching += 1;
        row.hidden = !matches || (!all && matching > most);
      }
      more.hidden = all || matching <= most;
      more.textContent = `Show all ${matching} rows`;
      const status = filter?.querySelector('span');
      if (status) status.textContent = words.length === 0 ? '' : `${matching} of ${rows.length} rows`;
    };
    [...table.tHead!.rows[0]!.cells].forEach((head, index, heads) => {
      const button = document.createElement('button');
      button.type = 'button';
      button.append(...head.childNodes);
      head.append(button);
      button.addEventListener('click', () => {
        const way = head.ariaSort === 'ascending' ? -1 : 1;
        for (const other of heads) other.removeAttribute('aria-sort');
        head.ariaSort = way === 1 ? 'ascending' : 'descending';
        sortBy(table, index, way);
        show();
      });
    });
    const showAll = () => {
      all = true;
      show();
    };
    more.addEventListener('click', showAll);
    addEventListener('beforeprint', showAll);
    box.append(more);
    if (filter) {
      filter.hidden = false;
      const input = filter.querySelector('input')!;
      input.addEventListener('input', () => {
        words = input.value
          .toLowerCase()
          .split(' ')
          .filter((word) => word !== '');
        show();
      });
    }
    show();
  }

  for (const box of document.querySelectorAll('.table')) prepare(box);

  const tip = document.createElement('p');
  tip.id = 'tip';
  tip.hidden = true;
  tip.setAttribute('aria-hidden', 'true');
  document.body.append(tip);
  document.addEventListener('pointermove', ({ target, clientX, clientY }) => {
    const mark = target instanceof Element ? target.closest('.plot [aria-label][role="graphics-symbol"]') : null;
    tip.hidden = mark === null;
    if (mark === null) return;
    tip.textContent = mark.getAttribute('aria-label');
    const left = Math.min(clientX + 14, innerWidth - tip.offsetWidth - 8);
    tip.style.left = `${Math.max(8, left)}px`;
    tip.style.top = `${clientY + 18 + tip.offsetHeight > innerHeight ? clientY - tip.offsetHeight - 10 : clientY + 18}px`;
  });

  const nav = document.querySelector('nav')!;
  const sections = [...document.querySelectorAll('main > section')];
  const current = () => {
    // The last section that has begun above a third of the window; the last of all at the page's end.
    const atEnd = innerHeight + scrollY >= document.documentElement.scrollHeight - 4;
    const begun = sections.filter((section) => section.getBoundingClientRect().top < innerHeight / 3);
    const found = atEnd ? sections.at(-1) : begun.at(-1);
    for (const link of nav.querySelectorAll('a')) {
      const here = found !== undefined && link.hash === `#${found.id}`;
      if (here === (link.ariaCurrent === 'true')) continue;
      if (here) link.ariaCurrent = 'true';
      else link.removeAttribute('aria-current');
      // Within the contents alone: the page itself must not move.
      if (here) nav.scrollTo({ left: link.offsetLeft - 40, top: link.offsetTop - nav.clientHeight / 2 });
    }
  };
  addEventListener('scroll', current, { passive: true });
  current();

  addEventListener('beforeprint', () => {
    for (const each of document.querySelectorAll('details')) each.open = true;
  });
}
