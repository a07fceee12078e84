/** The page's script: sorting, filters, tips of marks, and all data open in print. Everything can be read without it. */
export const pageScript = `
'use strict';
const byValue = (a, b) => a - b;
const collator = new Intl.Collator('en', { numeric: true });
const keyOf = (cell) => (cell.dataset.v === undefined ? undefined : Number(cell.dataset.v));
function sortBy(table, index, way) {
  const body = table.tBodies[0];
  const rows = [...body.rows].map((row) => ({ row, key: keyOf(row.cells[index]), text: row.cells[index].textContent }));
  rows.sort((a, b) => {
    if (a.key !== undefined && b.key !== undefined) return way * byValue(a.key, b.key);
    if (a.key !== undefined || b.key !== undefined) return a.key === undefined ? 1 : -1;
    return way * collator.compare(a.text, b.text);
  });
  body.append(...rows.map(({ row }) => row));
}
/** Rows that are laid out at once; more make a page slow, and are a click away. */
const most = 200;
function prepare(box) {
  const table = box.querySelector('table');
  const filter = box.querySelector('.filter');
  let words = [];
  let all = false;
  const more = document.createElement('button');
  more.type = 'button';
  more.className = 'more';
  const show = () => {
    const rows = [...table.tBodies[0].rows];
    let matching = 0;
    for (const row of rows) {
      const text = words.length === 0 ? '' : row.textContent.toLowerCase();
      const matches = words.every((word) => text.includes(word));
      if (matches) matching += 1;
      row.hidden = !matches || (!all && matching > most);
    }
    more.hidden = all || matching <= most;
    more.textContent = 'Show all ' + matching + ' rows';
    if (filter) filter.querySelector('span').textContent = words.length === 0 ? '' : matching + ' of ' + rows.length + ' rows';
  };
  [...table.tHead.rows[0].cells].forEach((head, index, heads) => {
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
    filter.querySelector('input').addEventListener('input', (event) => {
      words = event.target.value.toLowerCase().split(' ').filter((word) => word !== '');
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
document.addEventListener('pointermove', (event) => {
  const mark = event.target.closest && event.target.closest('.plot [aria-label][role="graphics-symbol"]');
  tip.hidden = !mark;
  if (!mark) return;
  tip.textContent = mark.getAttribute('aria-label');
  const left = Math.min(event.clientX + 14, innerWidth - tip.offsetWidth - 8);
  tip.style.left = Math.max(8, left) + 'px';
  tip.style.top = (event.clientY + 18 + tip.offsetHeight > innerHeight ? event.clientY - tip.offsetHeight - 10 : event.clientY + 18) + 'px';
});
addEventListener('beforeprint', () => {
  for (const each of document.querySelectorAll('details')) each.open = true;
});
`;
