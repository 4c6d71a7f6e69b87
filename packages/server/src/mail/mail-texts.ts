import type { Language } from './languages.ts'

/** A mail's subject and paragraphs. `{email}`, `{url}`, `{link}` and `{name}` are filled in. */
interface MailText {
  readonly subject: string
  readonly paragraphs: readonly string[]
}

interface MailTexts {
  /** The link to set another password. */
  readonly password: MailText
  /** The link to the address that an account is to have. */
  readonly newAddress: MailText
  /** The note to the address that an account had. */
  readonly leftAddress: MailText
}

export const mailTexts: Readonly<Record<Language, MailTexts>> = {
  en: {
    password: {
      subject: 'Set a new password for t69',
      paragraphs: [
        'Somebody, most likely you, asked for a new password for the account {email} at {url}.',
        'Open this link within an hour to set one. It works once:',
        '{link}',
        'If it was not you, you need not do anything: your password stays as it is. Do not pass the link on.',
      ],
    },
    newAddress: {
      subject: 'Confirm your address for t69',
      paragraphs: [
        '{name} wants to use {email} for an account at {url}.',
        'If that is you, open this link within an hour, where you are signed in:',
        '{link}',
        'If it is not you, you need not do anything.',
      ],
    },
    leftAddress: {
      subject: 'Your t69 account has another address',
      paragraphs: [
        'Your account at {url} has another e-mail address now. Nothing is sent to {email} any more.',
        'If it was not you who changed it, tell whoever runs the server.',
      ],
    },
  },
  ar: {
    password: {
      subject: 'ضبط كلمة مرور جديدة لـ t69',
      paragraphs: [
        'طلب أحدهم، وأنت على الأرجح، كلمة مرور جديدة للحساب {email} على {url}.',
        'افتح هذا الرابط خلال ساعة لضبطها. يعمل الرابط مرة واحدة:',
        '{link}',
        'إذا لم تكن أنت، فلا داعي لفعل شيء: تبقى كلمة مرورك كما هي. لا تعطِ الرابط لأحد.',
      ],
    },
    newAddress: {
      subject: 'تأكيد عنوانك لـ t69',
      paragraphs: [
        'يريد {name} استخدام {email} لحساب على {url}.',
        'إذا كنت أنت، فافتح هذا الرابط خلال ساعة حيث أنت مسجّل الدخول:',
        '{link}',
        'إذا لم تكن أنت، فلا داعي لفعل شيء.',
      ],
    },
    leftAddress: {
      subject: 'أصبح لحسابك في t69 عنوان آخر',
      paragraphs: [
        'أصبح لحسابك على {url} عنوان بريد إلكتروني آخر. لن يُرسل شيء إلى {email} بعد الآن.',
        'إذا لم تكن أنت من غيّره، فأخبر من يدير الخادم.',
      ],
    },
  },
  es: {
    password: {
      subject: 'Pon una nueva contraseña en t69',
      paragraphs: [
        'Alguien, seguramente tú, ha pedido una nueva contraseña para la cuenta {email} en {url}.',
        'Abre este enlace antes de una hora para ponerla. Funciona una sola vez:',
        '{link}',
        'Si no has sido tú, no tienes que hacer nada: tu contraseña sigue igual. No pases el enlace a nadie.',
      ],
    },
    newAddress: {
      subject: 'Confirma tu dirección para t69',
      paragraphs: [
        '{name} quiere usar {email} para una cuenta en {url}.',
        'Si eres tú, abre este enlace antes de una hora donde tengas la sesión iniciada:',
        '{link}',
        'Si no eres tú, no tienes que hacer nada.',
      ],
    },
    leftAddress: {
      subject: 'Tu cuenta de t69 tiene otra dirección',
      paragraphs: [
        'Tu cuenta en {url} tiene ahora otra dirección de correo. Ya no se envía nada a {email}.',
        'Si no la has cambiado tú, avisa a quien lleva el servidor.',
      ],
    },
  },
  hi: {
    password: {
      subject: 't69 के लिए नया पासवर्ड रखें',
      paragraphs: [
        'किसी ने, शायद आपने, {url} पर खाते {email} के लिए नया पासवर्ड माँगा है।',
        'उसे रखने के लिए एक घंटे के भीतर यह लिंक खोलें। यह एक ही बार काम करता है:',
        '{link}',
        'अगर यह आप नहीं थे, तो आपको कुछ नहीं करना है: आपका पासवर्ड वही रहेगा। यह लिंक किसी को न दें।',
      ],
    },
    newAddress: {
      subject: 't69 के लिए अपने पते की पुष्टि करें',
      paragraphs: [
        '{name} {url} पर एक खाते के लिए {email} इस्तेमाल करना चाहते हैं।',
        'अगर यह आप हैं, तो एक घंटे के भीतर यह लिंक वहाँ खोलें जहाँ आप साइन इन हैं:',
        '{link}',
        'अगर यह आप नहीं हैं, तो आपको कुछ नहीं करना है।',
      ],
    },
    leftAddress: {
      subject: 'आपके t69 खाते का पता बदल गया है',
      paragraphs: [
        '{url} पर आपके खाते का ई-मेल पता अब दूसरा है। {email} पर अब कुछ नहीं भेजा जाएगा।',
        'अगर इसे आपने नहीं बदला, तो सर्वर चलाने वाले को बताएँ।',
      ],
    },
  },
  ja: {
    password: {
      subject: 't69 の新しいパスワードを設定してください',
      paragraphs: [
        '{url} のアカウント {email} について、新しいパスワードの設定が求められました。',
        '1 時間以内に次のリンクを開いて設定してください。リンクは一度だけ使えます。',
        '{link}',
        '心当たりがない場合は、何もする必要はありません。パスワードはそのままです。リンクを人に渡さないでください。',
      ],
    },
    newAddress: {
      subject: 't69 のメールアドレスを確認してください',
      paragraphs: [
        '{name} さんが {url} のアカウントで {email} を使おうとしています。',
        'ご本人の場合は、サインインしている端末で 1 時間以内に次のリンクを開いてください。',
        '{link}',
        'ご本人でない場合は、何もする必要はありません。',
      ],
    },
    leftAddress: {
      subject: 't69 アカウントのメールアドレスが変わりました',
      paragraphs: [
        '{url} のアカウントのメールアドレスが変更されました。今後 {email} には何も送られません。',
        '変更した覚えがない場合は、サーバーの管理者に知らせてください。',
      ],
    },
  },
  ko: {
    password: {
      subject: 't69의 새 비밀번호를 정하세요',
      paragraphs: [
        '{url}의 {email} 계정에 새 비밀번호를 정하려는 요청이 있었습니다.',
        '한 시간 안에 이 링크를 열어 정하세요. 한 번만 쓸 수 있습니다:',
        '{link}',
        '본인이 요청하지 않았다면 아무것도 하지 않아도 됩니다. 비밀번호는 그대로입니다. 링크를 다른 사람에게 주지 마세요.',
      ],
    },
    newAddress: {
      subject: 't69에서 쓸 주소를 확인하세요',
      paragraphs: [
        '{name} 님이 {url}의 계정에 {email} 주소를 쓰려고 합니다.',
        '본인이라면 로그인한 기기에서 한 시간 안에 이 링크를 여세요:',
        '{link}',
        '본인이 아니라면 아무것도 하지 않아도 됩니다.',
      ],
    },
    leftAddress: {
      subject: 't69 계정의 주소가 바뀌었습니다',
      paragraphs: [
        '{url}의 계정 이메일 주소가 바뀌었습니다. 이제 {email}(으)로는 아무것도 보내지 않습니다.',
        '본인이 바꾸지 않았다면 서버를 운영하는 사람에게 알리세요.',
      ],
    },
  },
  ru: {
    password: {
      subject: 'Новый пароль для t69',
      paragraphs: [
        'Кто-то, скорее всего вы, запросил новый пароль для учётной записи {email} на {url}.',
        'Откройте эту ссылку в течение часа, чтобы задать его. Она работает один раз:',
        '{link}',
        'Если это были не вы, ничего делать не нужно: пароль останется прежним. Никому не передавайте ссылку.',
      ],
    },
    newAddress: {
      subject: 'Подтвердите адрес для t69',
      paragraphs: [
        '{name} хочет использовать {email} для учётной записи на {url}.',
        'Если это вы, откройте эту ссылку в течение часа там, где вы вошли:',
        '{link}',
        'Если это не вы, ничего делать не нужно.',
      ],
    },
    leftAddress: {
      subject: 'У вашей учётной записи t69 другой адрес',
      paragraphs: [
        'У вашей учётной записи на {url} теперь другой адрес. На {email} больше ничего не отправляется.',
        'Если его изменили не вы, сообщите тому, кто управляет сервером.',
      ],
    },
  },
  tr: {
    password: {
      subject: 't69 için yeni bir parola belirleyin',
      paragraphs: [
        'Biri, büyük olasılıkla siz, {url} adresindeki {email} hesabı için yeni bir parola istedi.',
        'Belirlemek için bu bağlantıyı bir saat içinde açın. Bir kez çalışır:',
        '{link}',
        'Bu siz değilseniz bir şey yapmanız gerekmez: parolanız olduğu gibi kalır. Bağlantıyı kimseye vermeyin.',
      ],
    },
    newAddress: {
      subject: 't69 için adresinizi onaylayın',
      paragraphs: [
        '{name}, {url} adresindeki bir hesap için {email} adresini kullanmak istiyor.',
        'Bu sizseniz, bağlantıyı bir saat içinde, oturumunuzun açık olduğu yerde açın:',
        '{link}',
        'Siz değilseniz bir şey yapmanız gerekmez.',
      ],
    },
    leftAddress: {
      subject: 't69 hesabınızın adresi değişti',
      paragraphs: [
        '{url} adresindeki hesabınızın artık başka bir e-posta adresi var. {email} adresine artık bir şey gönderilmez.',
        'Değiştiren siz değilseniz, sunucuyu yönetene haber verin.',
      ],
    },
  },
  zh: {
    password: {
      subject: '为 t69 设置新密码',
      paragraphs: [
        '有人（很可能是你）为 {url} 上的账户 {email} 请求设置新密码。',
        '请在一小时内打开此链接进行设置。链接只能使用一次：',
        '{link}',
        '如果不是你，无需做任何事：密码保持不变。请勿将链接转给他人。',
      ],
    },
    newAddress: {
      subject: '确认你在 t69 使用的地址',
      paragraphs: [
        '{name} 想把 {email} 用于 {url} 上的一个账户。',
        '如果是你，请在一小时内，在已登录的设备上打开此链接：',
        '{link}',
        '如果不是你，无需做任何事。',
      ],
    },
    leftAddress: {
      subject: '你的 t69 账户换了地址',
      paragraphs: [
        '你在 {url} 上的账户现在使用另一个邮箱地址。以后不再向 {email} 发送任何内容。',
        '如果不是你更改的，请告知服务器的管理者。',
      ],
    },
  },
}
