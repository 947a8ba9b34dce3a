// What a page without hostile content does not have: handlers in attributes, scripts in the text, frames, plug-ins,
// addresses that are code, and what the texts mark as theirs.
const made = [];
const suspicious = 'script:not([src]), iframe, frame, object, embed, base, meta[http-equiv="refresh" i], [data-hostile], [srcdoc]';
const addresses = ['href', 'src', 'action', 'formaction', 'xlink:href', 'data', 'poster'];
for (const element of document.querySelectorAll('*')) {
    const handler = [...element.attributes].some((attribute) => /^on/i.test(attribute.name));
    const code = addresses.some((name) => {
        const address = (element.getAttribute(name) || '').replace(/[\u0000-\u0020]/g, '');
        return /^(javascript|vbscript|data):/i.test(address);
    });
    if (handler || code || element.matches(suspicious)) {
        made.push(element.outerHTML.slice(0, 300));
    }
}
const requests = [...performance.getEntriesByType('resource'), ...performance.getEntriesByType('navigation')];
const foreign = requests.map((entry) => entry.name).filter((url) => new URL(url).origin !== location.origin);
const fields = [...document.querySelectorAll('input, textarea')].map((field) => field.value);
const texts = [document.title, document.body.textContent, ...fields];
return {
    hostile: window.hostile === undefined ? null : String(window.hostile),
    made,
    foreign,
    text: texts.join('\n').replace(/[\u0000-\u001f\u007f-\u009f\ufffd]/g, ''),
};
