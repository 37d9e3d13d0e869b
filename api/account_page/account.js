"use strict";
// What the link says, once: then it is taken out of the address bar and the history.
const [what, token] = location.hash.slice(1).split("=", 2);
history.replaceState(null, "", location.pathname);

const WORDS = {
  en: {
    "verify-email": { heading: "Confirm your e-mail address", told: "Press the button, and the address is yours here.", button: "Confirm the address", done: "Thank you. Your e-mail address is confirmed." },
    "reset-password": { heading: "Choose a new password", told: "All your sessions will end; then sign in with the new one.", button: "Set the password", done: "Your password is changed. You can sign in with it now." },
    label: "New password", hint: "At least 8 characters. A sentence is best.",
    over: "This link is over: it was used, or is older than ten minutes. Please ask for another.",
    unfit: "Please choose another password: longer, or less common.",
    failed: "That did not work. Please try again in a moment.", nothing: "Please open the link from your e-mail.",
  },
  pt: {
    "verify-email": { heading: "Confirme o seu e-mail", told: "Pressione o botão para confirmar que o endereço é seu.", button: "Confirmar o e-mail", done: "Obrigado. O seu e-mail está confirmado." },
    "reset-password": { heading: "Escolha uma nova senha", told: "Todas as suas sessões terminam; depois entre com a nova senha.", button: "Definir a senha", done: "A sua senha foi alterada. Você já pode entrar com ela." },
    label: "Nova senha", hint: "Pelo menos 8 caracteres. Uma frase é o melhor.",
    over: "Este link não vale mais: foi usado ou tem mais de dez minutos. Peça outro.",
    unfit: "Escolha outra senha: mais longa ou menos comum.",
    failed: "Não funcionou. Tente de novo em instantes.", nothing: "Abra o link do seu e-mail.",
  },
};
const language = navigator.language.slice(0, 2) === "pt" ? "pt" : "en";
const words = WORDS[language];
const at = (id) => document.getElementById(id);

const newKey = () => Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");

function tell(text, wrong = false) {
  at("told").textContent = text;
  at("told").className = wrong ? "wrong" : "";
}

async function send(event) {
  event.preventDefault();
  at("button").disabled = true;
  const path = what === "verify-email" ? "/v1/auth/verify-email" : "/v1/auth/password-reset/confirm";
  const body = what === "verify-email" ? { token } : { token, password: at("password").value };
  try {
    const answer = await fetch(path, {
      method: "POST",
      credentials: "omit",
      headers: { "Content-Type": "application/json", "Idempotency-Key": newKey() },
      body: JSON.stringify(body),
    });
    const problem = answer.ok ? null : (await answer.json()).type;
    if (answer.ok || problem === "/problems/code-refused") {
      at("form").hidden = true;
      tell(answer.ok ? words[what].done : words.over, !answer.ok);
    } else {
      tell(problem === "/problems/invalid-request" ? words.unfit : words.failed, true);
    }
  } catch {
    tell(words.failed, true);
  } finally {
    at("button").disabled = false;
  }
}

document.documentElement.lang = language;
if (token && (what === "verify-email" || what === "reset-password")) {
  at("heading").textContent = document.title = words[what].heading;
  at("button").textContent = words[what].button;
  at("label").textContent = words.label;
  at("hint").textContent = words.hint;
  at("choosing").hidden = what !== "reset-password";
  at("password").required = what === "reset-password";
  at("form").hidden = false;
  at("form").addEventListener("submit", send);
  tell(words[what].told);
} else {
  tell(words.nothing, true);
}
