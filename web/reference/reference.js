// The reference page: /openapi.json as people read it. It asks this server for that one file and nobody for anything.
// @ts-check

/** @typedef {{[key: string]: any}} Json */

/**
 * An element with its attributes and what is in it; a text is never read as markup.
 * @param {string} name
 * @param {{[attribute: string]: string}} attributes
 * @param {...(Node | string | null)} content
 */
function element(name, attributes, ...content) {
  const made = document.createElement(name);
  for (const [attribute, value] of Object.entries(attributes)) {
    made.setAttribute(attribute, value);
  }
  made.append(...content.filter((part) => part !== null));
  return made;
}

/**
 * A sentence in which `code` stands between backticks.
 * @param {string} text
 */
function sentence(text) {
  return text.split('`').map((part, at) => (at % 2 ? element('code', {}, part) : part));
}

/** @param {string} text */
function paragraphs(text) {
  return text.split('\n\n').filter(Boolean).map((part) => element('p', {}, ...sentence(part)));
}

/**
 * @param {Json} root
 * @param {Json} schema
 * @returns {Json}
 */
function resolve(root, schema) {
  const reference = schema.$ref;
  if (!reference) {
    return schema;
  }
  const found = reference.slice(2).split('/').reduce((/** @type {Json} */ at, /** @type {string} */ key) => at[key], root);
  return { ...found, ...schema };
}

/** @param {Json} schema */
const nameOf = (schema) => /** @type {string | undefined} */ (schema.$ref)?.split('/').pop();

/**
 * What a schema is, in a word or two.
 * @param {Json} schema
 * @returns {(Node | string)[]}
 */
function typeOf(schema) {
  const name = nameOf(schema);
  if (name) {
    return [element('a', { href: `#schema-${name}` }, name)];
  }
  if (schema.anyOf ?? schema.oneOf) {
    return (schema.anyOf ?? schema.oneOf).flatMap((/** @type {Json} */ one, /** @type {number} */ at) => (at ? [' or ', ...typeOf(one)] : typeOf(one)));
  }
  if (schema.const !== undefined) {
    return [element('code', {}, JSON.stringify(schema.const))];
  }
  if (schema.enum) {
    return schema.enum.flatMap((/** @type {unknown} */ one, /** @type {number} */ at) => [at ? ' ' : '', element('code', {}, JSON.stringify(one))]);
  }
  if (schema.type === 'array') {
    return ['array of ', ...typeOf(schema.items)];
  }
  if (schema.type === 'object' && schema.additionalProperties) {
    return ['object of ', ...typeOf(schema.additionalProperties)];
  }
  return [[schema.type].flat().join(' or ')];
}

/**
 * The bounds of a schema, in words.
 * @param {Json} schema
 */
function boundsOf(schema) {
  const words = {
    minLength: 'at least', maxLength: 'at most', minimum: 'from', maximum: 'to',
  };
  // That a number is not negative goes without saying.
  const bounds = Object.entries(words).filter(([key]) => schema[key] !== undefined && schema[key] !== 0)
    .map(([key, word]) => `${word} ${schema[key]}${key.endsWith('Length') ? ' characters' : ''}`);
  return bounds.length ? ` (${bounds.join(', ')})` : '';
}

/**
 * A table of names, types and words.
 * @param {{name: string, required: boolean, schema: Json, description: string}[]} rows
 */
function table(rows) {
  return element('div', { class: 'table', tabindex: '0', role: 'group', 'aria-label': 'Fields' }, element('table', {}, ...rows.map(({ name, required, schema, description }) => element(
    'tr', {},
    element('th', { scope: 'row' }, element('code', {}, name), required ? element('span', { class: 'required' }, ' required') : null),
    element('td', { class: 'type' }, ...typeOf(schema)),
    element('td', {}, ...sentence(description + boundsOf(schema))),
  ))));
}

/**
 * @param {Json} root
 * @param {Json} schema
 */
function properties(root, schema) {
  const required = schema.required ?? [];
  return table(Object.entries(schema.properties ?? {}).map(([name, property]) => ({
    name,
    required: required.includes(name),
    schema: property,
    description: wordsOf(root, property),
  })));
}

/**
 * What a schema says of itself; of one that may be `null`, what it says else.
 * @param {Json} root
 * @param {Json} schema
 * @returns {string}
 */
function wordsOf(root, schema) {
  return resolve(root, schema).description ?? (schema.anyOf ? wordsOf(root, schema.anyOf[0]) : '');
}

/**
 * The headers of a reply.
 * @param {Json} root
 * @param {Json} reply
 */
function headersOf(root, reply) {
  return table(Object.entries(reply.headers ?? {}).map(([name, header]) => {
    const { required, schema, description } = resolve(root, header);
    return { name, required: required === true, schema, description };
  }));
}

/** @param {unknown} value */
const json = (value) => element('pre', { tabindex: '0' }, JSON.stringify(value, null, 2));

/**
 * @param {Json} root
 * @param {string} path
 * @param {string} method
 * @param {Json} operation
 */
function operationOf(root, path, method, operation) {
  const article = element(
    'article', { id: `operation-${operation.operationId}`, 'data-text': `${path} ${operation.summary} ${operation.description} ${JSON.stringify(operation.responses)}`.toLowerCase() },
    element('header', {}, element('span', { class: `method ${method}` }, method.toUpperCase()), element('span', { class: 'path' }, path), element('h3', { class: 'summary' }, operation.summary)),
    ...paragraphs(operation.description),
  );
  for (const [place, title] of [['query', 'Query string'], ['header', 'Headers']]) {
    const parameters = (operation.parameters ?? []).filter((/** @type {Json} */ parameter) => parameter.in === place);
    if (parameters.length) {
      article.append(element('h4', {}, title), table(parameters));
    }
  }
  if (operation.requestBody) {
    const schema = operation.requestBody.content['application/json'].schema;
    article.append(element('h4', {}, 'Body ', ...typeOf(schema)), properties(root, resolve(root, schema)));
  }
  const replies = Object.entries(operation.responses);
  const good = replies.filter(([status]) => Number(status) < 400);
  const bad = replies.filter(([status]) => Number(status) >= 400);
  for (const [status, reply] of good) {
    const content = Object.entries(reply.content ?? {})[0];
    article.append(element('h4', {}, `${status} `, ...(content ? [`${content[0]} `, ...typeOf(content[1].schema)] : [])), ...paragraphs(reply.description), headersOf(root, reply));
  }
  article.append(element('details', {}, element('summary', {}, 'Refusals'), table(bad.flatMap(([status, reply]) => (
    reply.content['application/problem+json'].schema.properties.code.enum.map((/** @type {string} */ code) => ({
      name: status,
      required: false,
      schema: { $ref: `#/components/codes/${code}` },
      description: root.components.examples[code].summary,
    }))
  )))));
  return article;
}

/**
 * @param {string} name
 * @param {Json} root
 * @param {Json} schema
 */
function schemaOf(name, root, schema) {
  const article = element('article', { id: `schema-${name}`, 'data-text': `${name} ${JSON.stringify(schema)}`.toLowerCase() }, element('header', {}, element('h3', {}, name)));
  if (schema.description) {
    article.append(...paragraphs(schema.description + boundsOf(schema)));
  }
  article.append(schema.properties ? properties(root, schema) : element('p', {}, ...typeOf(schema)));
  for (const example of schema.examples ?? []) {
    article.append(json(example));
  }
  return article;
}

/**
 * @param {string} code
 * @param {Json} example
 */
function codeOf(code, example) {
  return element('article', { id: `schema-${code}`, 'data-text': `${code} ${example.summary}`.toLowerCase() },
    element('header', {}, element('h3', {}, element('code', {}, code)), element('span', { class: 'summary' }, `${example.value.status}: ${example.summary}`)), json(example.value));
}

/**
 * @param {string} title
 * @param {HTMLElement[]} articles
 */
function section(title, articles) {
  const links = articles.map((article) => {
    const name = article.querySelector('.path')?.textContent ?? article.querySelector('h3')?.textContent ?? '';
    const method = article.querySelector('.method')?.textContent ?? '';
    return element('li', {}, element('a', { href: `#${article.id}` }, name, method ? element('span', {}, ` ${method}`) : null));
  });
  document.getElementById('contents')?.append(element('section', {}, element('h2', {}, title), element('ul', {}, ...links)));
  document.getElementById('content')?.append(element('section', { 'aria-label': title }, element('h2', {}, title), ...articles));
}

/** @param {Json} root */
function show(root) {
  const main = /** @type {HTMLElement} */ (document.getElementById('content'));
  main.replaceChildren(element('h1', {}, root.info.summary), ...paragraphs(root.info.description),
    element('p', {}, 'For programs: ', element('a', { href: 'openapi.json' }, 'openapi.json')));
  const version = document.getElementById('version');
  if (version) {
    version.textContent = root.info.version;
  }
  const operations = Object.entries(root.paths).flatMap(([path, methods]) => Object.entries(methods).map(([method, operation]) => ({ path, method, operation })));
  for (const tag of root.tags) {
    section(tag.name[0].toUpperCase() + tag.name.slice(1), operations.filter(({ operation }) => operation.tags.includes(tag.name))
      .map(({ path, method, operation }) => operationOf(root, path, method, operation)));
  }
  section('Shapes', Object.entries(root.components.schemas).map(([name, schema]) => schemaOf(name, root, schema)));
  section('Codes', Object.entries(root.components.examples).map(([code, example]) => codeOf(code, example)));
}

function filter() {
  const wanted = /** @type {HTMLInputElement} */ (document.getElementById('filter')).value.trim().toLowerCase();
  for (const article of /** @type {NodeListOf<HTMLElement>} */ (document.querySelectorAll('article'))) {
    article.hidden = !article.dataset.text?.includes(wanted);
    const link = document.querySelector(`nav a[href="#${CSS.escape(article.id)}"]`)?.parentElement;
    if (link) {
      link.hidden = article.hidden;
    }
  }
}

try {
  // Beside this page, under whatever path a proxy gives it.
  const reply = await fetch('openapi.json');
  if (!reply.ok) {
    throw new Error(`the server answered ${reply.status}`);
  }
  show(await reply.json());
  document.getElementById('filter')?.addEventListener('input', filter);
  // The place that the address names is there only now.
  document.getElementById(location.hash.slice(1))?.scrollIntoView();
} catch (error) {
  const state = document.getElementById('state');
  if (state) {
    state.textContent = `The document can't be loaded: ${error instanceof Error ? error.message : error}`;
  }
}

export {};
