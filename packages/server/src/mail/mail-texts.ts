import type { Language } from './languages.ts'

/** A mail's subject and paragraphs, in which the `{fields}` are filled in. */
interface MailText {
  readonly subject: string
  readonly paragraphs: readonly string[]
}

interface MailTexts {
  /** The link to set another password. */
  readonly password: MailText
  /** The link to the address that an account is to have. */
  readonly newAddress: MailText
  /** The notes that somebody's way into an account has changed. That of another address goes to the one before. */
  readonly leftAddress: MailText
  readonly passwordChanged: MailText
  readonly passkeyAdded: MailText
  readonly providerConnected: MailText
  /** What these notes have in `{circumstances}`. */
  readonly circumstances: string
  readonly unknownDevice: string
  /** What the last three have in `{advice}`: setting a password by a mailed link ends all other ways in. */
  readonly advice: string
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
        '{circumstances}',
        'If it was not you who changed it, tell whoever runs the server.',
      ],
    },
    passwordChanged: {
      subject: 'The password of your t69 account was changed',
      paragraphs: [
        'The password of your account {email} at {url} was changed.',
        '{circumstances}',
        '{advice}',
      ],
    },
    passkeyAdded: {
      subject: 'A passkey was added to your t69 account',
      paragraphs: [
        'A passkey was added to your account {email} at {url}: whoever has it can sign in.',
        '{circumstances}',
        '{advice}',
      ],
    },
    providerConnected: {
      subject: 'There is another way into your t69 account',
      paragraphs: [
        'Your account {email} at {url} was connected with {provider}: it can be entered from there.',
        '{circumstances}',
        '{advice}',
      ],
    },
    circumstances: 'When: {when}\nFrom: {device}, {address}',
    unknownDevice: 'an unknown device',
    advice:
      'If it was you, all is well. If not, set another password at once, by “I forgot my password” in the form of sign-in: that signs out all devices, and ends every other way in. Then tell whoever runs the server.',
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
        '{circumstances}',
        'إذا لم تكن أنت من غيّره، فأخبر من يدير الخادم.',
      ],
    },
    passwordChanged: {
      subject: 'تغيّرت كلمة مرور حسابك في t69',
      paragraphs: ['تغيّرت كلمة مرور حسابك {email} على {url}.', '{circumstances}', '{advice}'],
    },
    passkeyAdded: {
      subject: 'أُضيف مفتاح مرور إلى حسابك في t69',
      paragraphs: [
        'أُضيف مفتاح مرور إلى حسابك {email} على {url}: يستطيع من يملكه تسجيل الدخول.',
        '{circumstances}',
        '{advice}',
      ],
    },
    providerConnected: {
      subject: 'أصبحت لحسابك في t69 طريقة دخول أخرى',
      paragraphs: [
        'رُبط حسابك {email} على {url} بـ {provider}: يمكن الدخول إليه من هناك.',
        '{circumstances}',
        '{advice}',
      ],
    },
    circumstances: 'الوقت: {when}\nمن: {device}، {address}',
    unknownDevice: 'جهاز غير معروف',
    advice:
      'إذا كنت أنت، فكل شيء على ما يرام. وإلا فاضبط كلمة مرور أخرى فورًا عبر «نسيت كلمة المرور» في نموذج تسجيل الدخول: يُنهي ذلك الجلسات على كل الأجهزة وكل طرق الدخول الأخرى. ثم أخبر من يدير الخادم.',
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
        '{circumstances}',
        'Si no la has cambiado tú, avisa a quien lleva el servidor.',
      ],
    },
    passwordChanged: {
      subject: 'Se cambió la contraseña de tu cuenta de t69',
      paragraphs: ['Se cambió la contraseña de tu cuenta {email} en {url}.', '{circumstances}', '{advice}'],
    },
    passkeyAdded: {
      subject: 'Se añadió una llave de acceso a tu cuenta de t69',
      paragraphs: [
        'Se añadió una llave de acceso a tu cuenta {email} en {url}: quien la tenga puede iniciar sesión.',
        '{circumstances}',
        '{advice}',
      ],
    },
    providerConnected: {
      subject: 'Hay otra forma de entrar en tu cuenta de t69',
      paragraphs: [
        'Tu cuenta {email} en {url} se conectó con {provider}: se puede entrar desde allí.',
        '{circumstances}',
        '{advice}',
      ],
    },
    circumstances: 'Cuándo: {when}\nDesde: {device}, {address}',
    unknownDevice: 'un dispositivo desconocido',
    advice:
      'Si fuiste tú, todo está bien. Si no, pon otra contraseña cuanto antes con «He olvidado mi contraseña», donde se inicia sesión: eso cierra la sesión en todos los dispositivos y anula las demás formas de entrar. Luego avisa a quien lleva el servidor.',
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
        '{circumstances}',
        'अगर इसे आपने नहीं बदला, तो सर्वर चलाने वाले को बताएँ।',
      ],
    },
    passwordChanged: {
      subject: 'आपके t69 खाते का पासवर्ड बदला गया',
      paragraphs: ['{url} पर आपके खाते {email} का पासवर्ड बदला गया।', '{circumstances}', '{advice}'],
    },
    passkeyAdded: {
      subject: 'आपके t69 खाते में एक पासकी जोड़ी गई',
      paragraphs: [
        '{url} पर आपके खाते {email} में एक पासकी जोड़ी गई: जिसके पास वह है, वह साइन इन कर सकता है।',
        '{circumstances}',
        '{advice}',
      ],
    },
    providerConnected: {
      subject: 'आपके t69 खाते में जाने का एक और तरीका है',
      paragraphs: [
        '{url} पर आपका खाता {email} {provider} से जोड़ा गया: वहाँ से उसमें जाया जा सकता है।',
        '{circumstances}',
        '{advice}',
      ],
    },
    circumstances: 'कब: {when}\nकहाँ से: {device}, {address}',
    unknownDevice: 'कोई अनजान डिवाइस',
    advice:
      'अगर यह आप थे, तो सब ठीक है। अगर नहीं, तो साइन इन के फ़ॉर्म में “मैं अपना पासवर्ड भूल गया” से तुरंत दूसरा पासवर्ड रखें: इससे सभी डिवाइस साइन आउट हो जाते हैं और अंदर आने के बाकी सारे तरीके ख़त्म हो जाते हैं। फिर सर्वर चलाने वाले को बताएँ।',
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
        '{circumstances}',
        '変更した覚えがない場合は、サーバーの管理者に知らせてください。',
      ],
    },
    passwordChanged: {
      subject: 't69 アカウントのパスワードが変更されました',
      paragraphs: [
        '{url} のアカウント {email} のパスワードが変更されました。',
        '{circumstances}',
        '{advice}',
      ],
    },
    passkeyAdded: {
      subject: 't69 アカウントにパスキーが追加されました',
      paragraphs: [
        '{url} のアカウント {email} にパスキーが追加されました。それを持つ人はサインインできます。',
        '{circumstances}',
        '{advice}',
      ],
    },
    providerConnected: {
      subject: 't69 アカウントに別のサインイン方法が加わりました',
      paragraphs: [
        '{url} のアカウント {email} が {provider} と連携されました。そこからサインインできます。',
        '{circumstances}',
        '{advice}',
      ],
    },
    circumstances: '日時: {when}\n操作元: {device}、{address}',
    unknownDevice: '不明な端末',
    advice:
      'ご本人であれば問題ありません。心当たりがない場合は、サインイン画面の「パスワードを忘れました」からすぐに別のパスワードを設定してください。すべての端末がサインアウトされ、ほかのサインイン方法もすべて無効になります。そのあと、サーバーの管理者に知らせてください。',
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
        '{circumstances}',
        '본인이 바꾸지 않았다면 서버를 운영하는 사람에게 알리세요.',
      ],
    },
    passwordChanged: {
      subject: 't69 계정의 비밀번호가 바뀌었습니다',
      paragraphs: ['{url}의 {email} 계정 비밀번호가 바뀌었습니다.', '{circumstances}', '{advice}'],
    },
    passkeyAdded: {
      subject: 't69 계정에 패스키가 추가되었습니다',
      paragraphs: [
        '{url}의 {email} 계정에 패스키가 추가되었습니다. 그 패스키를 가진 사람은 로그인할 수 있습니다.',
        '{circumstances}',
        '{advice}',
      ],
    },
    providerConnected: {
      subject: 't69 계정에 다른 로그인 방법이 생겼습니다',
      paragraphs: [
        '{url}의 {email} 계정이 {provider}에 연결되었습니다. 그곳에서 로그인할 수 있습니다.',
        '{circumstances}',
        '{advice}',
      ],
    },
    circumstances: '시각: {when}\n변경한 곳: {device}, {address}',
    unknownDevice: '알 수 없는 기기',
    advice:
      '본인이 했다면 문제없습니다. 아니라면 로그인 화면의 “비밀번호를 잊었습니다”로 바로 다른 비밀번호를 정하세요. 모든 기기에서 로그아웃되고 다른 로그인 방법도 모두 없어집니다. 그런 다음 서버를 운영하는 사람에게 알리세요.',
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
        '{circumstances}',
        'Если его изменили не вы, сообщите тому, кто управляет сервером.',
      ],
    },
    passwordChanged: {
      subject: 'Пароль вашей учётной записи t69 изменён',
      paragraphs: ['Пароль вашей учётной записи {email} на {url} изменён.', '{circumstances}', '{advice}'],
    },
    passkeyAdded: {
      subject: 'К вашей учётной записи t69 добавлен ключ доступа',
      paragraphs: [
        'К вашей учётной записи {email} на {url} добавлен ключ доступа: с ним можно войти.',
        '{circumstances}',
        '{advice}',
      ],
    },
    providerConnected: {
      subject: 'В вашу учётную запись t69 можно войти ещё одним способом',
      paragraphs: [
        'Ваша учётная запись {email} на {url} связана с {provider}: в неё можно войти оттуда.',
        '{circumstances}',
        '{advice}',
      ],
    },
    circumstances: 'Когда: {when}\nОткуда: {device}, {address}',
    unknownDevice: 'неизвестное устройство',
    advice:
      'Если это были вы, всё в порядке. Если нет, сразу задайте другой пароль через «Не помню пароль» там, где входят: это завершит вход на всех устройствах и отменит все другие способы войти. Затем сообщите тому, кто управляет сервером.',
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
        '{circumstances}',
        'Değiştiren siz değilseniz, sunucuyu yönetene haber verin.',
      ],
    },
    passwordChanged: {
      subject: 't69 hesabınızın parolası değiştirildi',
      paragraphs: [
        '{url} adresindeki {email} hesabınızın parolası değiştirildi.',
        '{circumstances}',
        '{advice}',
      ],
    },
    passkeyAdded: {
      subject: 't69 hesabınıza bir geçiş anahtarı eklendi',
      paragraphs: [
        '{url} adresindeki {email} hesabınıza bir geçiş anahtarı eklendi: anahtara sahip olan oturum açabilir.',
        '{circumstances}',
        '{advice}',
      ],
    },
    providerConnected: {
      subject: 't69 hesabınıza girmenin başka bir yolu var',
      paragraphs: [
        '{url} adresindeki {email} hesabınız {provider} ile bağlandı: oradan girilebilir.',
        '{circumstances}',
        '{advice}',
      ],
    },
    circumstances: 'Zaman: {when}\nNereden: {device}, {address}',
    unknownDevice: 'bilinmeyen bir cihaz',
    advice:
      'Bu sizseniz her şey yolunda. Değilseniz oturum açma formundaki “Parolamı unuttum” ile hemen başka bir parola belirleyin: bu, tüm cihazların oturumunu kapatır ve öteki bütün giriş yollarını sona erdirir. Sonra sunucuyu yönetene haber verin.',
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
        '{circumstances}',
        '如果不是你更改的，请告知服务器的管理者。',
      ],
    },
    passwordChanged: {
      subject: '你的 t69 账户的密码已更改',
      paragraphs: ['你在 {url} 上的账户 {email} 的密码已更改。', '{circumstances}', '{advice}'],
    },
    passkeyAdded: {
      subject: '你的 t69 账户添加了通行密钥',
      paragraphs: [
        '你在 {url} 上的账户 {email} 添加了通行密钥：持有它的人可以登录。',
        '{circumstances}',
        '{advice}',
      ],
    },
    providerConnected: {
      subject: '你的 t69 账户有了另一种登录方式',
      paragraphs: [
        '你在 {url} 上的账户 {email} 已与 {provider} 关联：可以从那里登录。',
        '{circumstances}',
        '{advice}',
      ],
    },
    circumstances: '时间：{when}\n来自：{device}，{address}',
    unknownDevice: '未知设备',
    advice:
      '如果是你本人，则无需担心。如果不是，请立即在登录界面用“我忘了密码”设置另一个密码：这会让所有设备退出登录，并取消其他所有登录方式。然后请告知服务器的管理者。',
  },
}
